// Which alerts the queue shows, in which order, and which of them are repeats of one another. Draws nothing.

export const REPEAT_SECONDS = 60;
export const DEFAULTS = {
  tier: "alert", verdict: "open", rule: "", camera: "", label: "", fit: "", score: "", from: "", to: "", q: "", sort: "time", top: "", group: "",
};

/** What was chosen, from the options of an address; unknown values fall back to the defaults. */
export function choiceOf(options) {
  return Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, options.get(name) ?? value]));
}

/** The options of an address for a choice: what differs from the defaults. */
export function optionsOf(choice) {
  return Object.fromEntries(Object.entries(choice).filter(([name, value]) => value !== DEFAULTS[name]));
}

export function keyOf(alert) {
  return `${alert.run}/${alert.alert_id}`;
}

/** Whether an alert has the verdict that is asked for; those in `kept` were judged while they were on show, and stay. */
export function isSaid(alert, verdict, kept) {
  const said = alert.review?.verdict ?? null;
  if (verdict === "all") return true;
  if (verdict === "open") return said === null || kept.has(keyOf(alert));
  if (verdict === "judged") return said !== null;
  if (verdict === "differ") return new Set((alert.reviews ?? []).map((review) => review.verdict)).size > 1;
  return said === verdict;
}

/** Whether an alert passes everything but the choice of verdicts. */
export function passes(alert, choice) {
  const day = (alert.start_clock ?? "").slice(0, 10);
  const words = choice.q.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${alert.video} ${alert.camera} ${alert.wording} ${alert.rule}`.toLowerCase();
  return (choice.tier === "all" || alert.tier === choice.tier)
    && (!choice.rule || alert.rule === choice.rule)
    && (!choice.camera || alert.camera === choice.camera)
    && (!choice.label || alert.label === choice.label)
    && (!choice.fit || alert.fitness === choice.fit)
    && (!choice.score || alert.peak_score >= Number(choice.score))
    && (!choice.from || (day && day >= choice.from))
    && (!choice.to || (day && day <= choice.to))
    && words.every((word) => text.includes(word));
}

/** The rows of the queue: `{key, lead, alerts}`, each one alert or several repeats, led by the strongest. */
export function sift(alerts, choice, kept) {
  const shown = alerts.filter((alert) => passes(alert, choice) && isSaid(alert, choice.verdict, kept));
  let rows = choice.group ? repeats(shown) : shown.map((alert) => [alert]);
  rows = rows.map((own) => {
    const lead = own.reduce((best, one) => (one.peak_score > best.peak_score ? one : best));
    return { key: keyOf(lead), lead, alerts: own };
  });
  const top = Number(choice.top);
  if (top > 0) rows = rows.sort(by("score")).slice(0, top);
  return rows.sort(by(choice.sort));
}

/** Alerts of one rule in one video, each at most REPEAT_SECONDS after the end of the one before, as lists. */
function repeats(alerts) {
  const lists = [];
  const last = new Map();
  for (const alert of [...alerts].sort(inTime)) {
    const place = `${alert.run}/${alert.rule}/${alert.tier}`;
    const before = last.get(place);
    if (before && alert.start_s - before.end <= REPEAT_SECONDS) {
      before.list.push(alert);
      before.end = Math.max(before.end, alert.end_s);
    } else {
      const list = [alert];
      lists.push(list);
      last.set(place, { list, end: alert.end_s });
    }
  }
  return lists;
}

function by(sort) {
  if (sort === "score") return (a, b) => b.lead.peak_score - a.lead.peak_score || inTime(a.lead, b.lead);
  if (sort === "recent") return (a, b) => order(b.lead.start_clock ?? "", a.lead.start_clock ?? "") || inTime(a.lead, b.lead);
  return (a, b) => inTime(a.lead, b.lead);
}

function inTime(a, b) {
  return order(a.camera, b.camera) || order(a.video, b.video) || order(a.run, b.run) || a.start_s - b.start_s || order(a.alert_id, b.alert_id);
}

function order(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
