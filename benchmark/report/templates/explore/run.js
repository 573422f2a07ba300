// the page of a run

function tableOf(heads, lines, name) {
  return make("div", { className: "scroll", tabIndex: 0 }, make("table", { className: name || "" },
    make("thead", {}, make("tr", {}, ...heads.map((h) => make("th", { scope: "col" }, h)))),
    make("tbody", {}, ...lines.map((l) => make("tr", {}, ...l.map((c) => make("td", {}, short(c))))))));
}

function pairs(title, values) {
  const lines = Object.entries(values || {});
  return lines.length ? [make("h3", {}, title), tableOf(["name", "value"], lines, "plain")] : [];
}

function lamTable(title, lines, count, more) {
  if (!lines.length) return [];
  const names = Object.keys(lines[0].lam);
  const heads = ["seconds", "evaluations", "F", ...more, ...names];
  const note = lines.length < count ? ` (${lines.length} of ${count}, evenly spread)` : ` (${count})`;
  return [make("h3", {}, title + note),
    tableOf(heads, lines.map((l) => [l.seconds, l.nfe, l.loss, ...more.map((m) => l[m]), ...names.map((n) => l.lam[n])]))];
}

function drawRun(id) {
  const run = data.runs.find((r) => r.id === id);
  byId("overview").hidden = byId("controls").hidden = Boolean(run);
  byId("run").hidden = !run;
  if (!run) return;
  const back = make("a", { href: "#runs" }, "\u2190 all runs");
  const images = (run.images || []).filter(Boolean).map((src, k) =>
    make("figure", {}, make("img", { src, alt: `Images of measurement ${k + 1}` })));
  byId("run").replaceChildren(
    make("p", {}, back),
    make("h2", {}, `${data.rows[run.row].label}, seed ${run.seed}${run.prompt ? `, \u201c${run.prompt}\u201d` : ""}`),
    make("p", {}, `Run ${run.id}: ${run.status}. ${run.error}`),
    make("pre", {}, run.command), ...images,
    ...pairs("Options", run.options), ...pairs("Spent", run.spent), ...pairs("Seconds by account", run.ledger),
    make("h3", {}, "Measured"),
    tableOf(["seconds", "evaluations", "lam", "metrics"], run.tests.map((t) => [t.seconds, t.nfe, listed(t.lam), listed(t.metrics)])),
    ...lamTable("Answers proposed", run.proposals, run.proposal_count, []),
    ...lamTable("Evaluations of F", run.trials, run.trial_count, ["steps"]),
    ...(run.notes.length ? [make("h3", {}, "Notes"), make("ul", {}, ...run.notes.map((n) => make("li", {}, n)))] : []),
    ...pairs("Environment", run.environment), ...pairs("Hashes of code and files", run.hashes));
  byId("run").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function route() {
  const found = /^#run=([0-9a-f]+)$/.exec(location.hash);
  drawRun(found ? found[1] : null);
}
