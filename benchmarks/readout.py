"""What a read-out over time gains on clips and loses on photographs, over what holds it back and how strongly.

    python benchmarks/readout.py --data FER2013 --clips FOLDER --stills FOLDER [--cache FOLDER]

Arguments as for `benchmarks/battery.py`. Each clip is answered by a read-out that was fitted without its person, from
its mean scores. Photographs are read out as videos of one frame, by the read-out of all clips: PublicTest without those
that it was fitted to. They are held to what the network says of them, or to their labels.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import fervid
from battery import read_out_alone, scored_again, stills_in_numbers, windows_of
from battery_faces import load_clips, load_stills
from fervid.base import assets
from fervid.batch.labelled import labelled_recordings
from fervid.emotion import make_classifier
from fervid.emotion.model import load_model_info
from fervid.train.data.fer2013 import EMOTIONS, load_fer2013
from fervid.train.fit.readout import FITTED_TO, PHOTOGRAPH_WEIGHTS, VIEWS, ReadoutFitter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--stills", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    arguments = parser.parse_args()
    settings = fervid.load_settings(environment={}, options={"readout.use": "on"})
    model = load_model_info(assets.model_folder(settings.emotion.model))
    classifier = make_classifier("litert", model)
    margin = settings.emotion.crop_margin
    clips = [
        replace(clip, observations=scored_again(clip, classifier, model, margin))
        for clip in load_clips(arguments.clips, settings, arguments.cache)
    ]
    seen = [(clip.file, clip.emotion, clip.person, windows_of(clip, settings, model)) for clip in clips]
    recordings = labelled_recordings(seen, model, settings.baseline, is_flipped=False)
    truth = np.array([model.labels.index(one.label) for one in recordings])
    persons = np.array([one.person for one in recordings])
    stills = load_stills(arguments.stills, settings, EMOTIONS, arguments.cache)
    found = [still for still in stills if still.region is not None]
    crops = np.stack([still.region.crop(model.input_side_px, margin) for still in found if still.region])
    of_stills = classifier.predict(crops)
    faces = load_fer2013(arguments.data).split("PublicTest")
    logits = classifier.predict(faces.images)
    labels = np.array([model.labels.index(EMOTIONS[code]) for code in faces.labels])
    unseen = np.arange(len(logits)) % FITTED_TO > 0
    print(f"{'held to':<14}{'weight':>7}{'changed':>9}{'clips':>7}{'angry':>7}{'false':>7}{'baseline':>10}{'angry':>7}"
          f"{'false':>7}{'PublicTest':>12}{'stills':>8}{'neutral':>9}")  # fmt: skip
    for name, answers in (("the network", None), ("their labels", np.eye(len(model.labels))[labels])):
        fitter = ReadoutFitter(model, logits, answers)
        for weight in PHOTOGRAPH_WEIGHTS:
            cells = []
            for view in VIEWS:
                said = np.zeros(len(truth), int)
                for person in np.unique(persons):
                    others = [one for one in recordings if one.person != person]
                    fitted = fitter.fit_with(others, weight)
                    own = persons == person
                    scores = np.stack([getattr(one, view) for one in recordings if one.person == person])
                    said[own] = fitter.log_probabilities(scores, fitted).argmax(axis=1)
                angry = model.labels.index("angry")
                cells.append([(said == truth).sum(), (said[truth == angry] == angry).sum(),
                              (said[truth != angry] == angry).sum()])  # fmt: skip
            of_all = fitter.fit_with(recordings, weight)
            info = replace(model, readout=of_all.readout(model))
            public = (read_out_alone(logits[unseen], info, settings).argmax(axis=1) == labels[unseen]).mean()
            answered = [model.labels[i] for i in read_out_alone(of_stills, info, settings).argmax(axis=1)]
            by_file = dict(zip((still.file for still in found), answered, strict=True))
            numbers = stills_in_numbers(stills, [by_file.get(still.file) for still in stills])
            (right, hits, false), (relative, relative_hits, relative_false) = cells
            print(f"{name:<14}{weight:>7g}{of_all.changed_share:>9.3f}{right:>7}{hits:>7}{false:>7}{relative:>10}"
                  f"{relative_hits:>7}{relative_false:>7}{public:>12.3f}{numbers['stills']:>8.3f}"
                  f"{numbers['stills neutral']:>9.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
