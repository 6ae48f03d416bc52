"""The review page: finished runs to look at in a browser, as one file or served on this machine.

    content.py, cards.py, columns.py   what the page shows, as small JSON, from the stored tables
    static/                            the page itself: plain modules and one style sheet
    page.py, report.py                 the page as one file that works without a server
    server.py, guard.py                the same page over HTTP, and its access control
    preview.py                         clips and thumbnails for videos that a browser cannot play

A label says how a face looks; an alert is a moment that needs review. The page has no identities.
"""
