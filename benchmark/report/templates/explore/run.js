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

// F of each trial over what was spent, and the best so far
function drawTrials(run) {
  const own = run.trials.filter((t) => t.loss !== null);
  const [x, name] = data.unit === "seconds" ? ["seconds", "seconds"] : ["nfe", "evaluations"];
  const values = own.map((t) => ({ ...t, at: t[x], area: t.steps === longest(run) ? 50 : 14 }));
  const best = data.searched.find((s) => s.run === run.id).points.map((p) => ({ y: p.y, at: p[name] }));
  const encoding = (y) => ({ x: { field: "at", type: "quantitative", title: over[data.unit], axis: { format: "~s" } },
    y: { field: y, type: "quantitative", title: "F", scale: { zero: false } } });
  return drawIn("trials", [
    { data: { values: best }, mark: { type: "line", interpolate: "step-after" }, encoding: encoding("y") },
    { data: { values }, mark: { type: "point", filled: true }, encoding: { ...encoding("loss"),
      size: area,
      tooltip: [number("loss", "F"), number("steps", "steps"), number("at", name)] } },
  ], 240);
}

// what the task drew of the answer, beside the default
function drawAnswer(run) {
  const colour = data.rows[run.row].colour;
  Object.entries(run.curves).forEach(([name, values], k) => {
    const line = (field, mark) => ({ data: { values }, mark: { type: "line", ...mark }, encoding: {
      x: { field: "x", type: "quantitative", title: null }, y: { field, type: "quantitative", title: name, scale: { zero: false } },
      tooltip: [number("own", "answer"), number("default", "default")] } });
    drawIn(`curve-${k}`, [line("default", { color: theme()("--soft"), strokeDash: [4, 3] }), line("own", { color: colour })], 200);
  });
}

function headOf(name) {
  const metric = data.metrics.find((m) => m.name === name);
  return metric ? metric.head : name;
}

function measured(run) {
  const names = Object.keys(run.tests.length ? run.tests[run.tests.length - 1].metrics : {});
  return [make("h3", {}, "Measured"),
    tableOf(["seconds", "evaluations", ...names.map(headOf)], run.tests.map((t) => [t.seconds, t.nfe, ...names.map((n) => t.metrics[n])])),
    ...run.tests.slice(-1).map((t) => make("p", {}, `Answer: ${listed(t.lam)}`))];
}

function captionOf(test) {
  const scores = Object.entries(test.metrics).filter(([name]) => data.metrics.some((m) => m.name === name));
  return make("figcaption", {}, `After ${short(test.seconds)} s and ${short(test.nfe)} evaluations: `,
    scores.map(([name, value]) => `${headOf(name)} ${short(value)}`).join(", "),
    make("details", {}, make("summary", {}, "lam"), listed(test.lam)));
}

function drawRun(id) {
  const run = data.runs.find((r) => r.id === id);
  byId("overview").hidden = byId("controls").hidden = Boolean(run);
  byId("run").hidden = !run;
  document.title = run ? `${data.rows[run.row].label}, seed ${run.seed}: ${data.title}` : data.title;
  if (!run) return;
  const back = make("a", { href: "#runs" }, "\u2190 all runs");
  const images = (run.images || []).map((src, k) => src && make("figure", {},
    make("img", { src, alt: `Images of measurement ${k + 1}` }), captionOf(run.tests[k]))).filter(Boolean);
  byId("run").replaceChildren(
    make("p", {}, back),
    make("h2", {}, `${data.rows[run.row].label}, seed ${run.seed}${run.prompt ? `, \u201c${run.prompt}\u201d` : ""}`),
    make("p", {}, `Run ${run.id}: ${ends[run.status] || run.status}. ${run.error}`),
    ...measured(run), ...images,
    make("div", { id: "trials", className: "chart", role: "img", "aria-label": "F over what was spent; the tables below have the numbers" }),
    ...Object.keys(run.curves).map((name, k) => make("div", { id: `curve-${k}`, className: "chart", role: "img", "aria-label": `${name} of the answer, and of the default (dashed)` })),
    ...(Object.keys(run.curves).length ? [make("p", {}, "The answer, and the default (dashed).")] : []),
    make("h3", {}, "Command"), make("pre", {}, run.command),
    ...pairs("Spent", run.spent), ...pairs("Seconds by account", run.ledger), ...pairs("Options", run.options),
    ...lamTable("Answers proposed", run.proposals, run.proposal_count, []),
    ...lamTable("Evaluations of F", run.trials, run.trial_count, ["steps"]),
    ...(run.notes.length ? [make("h3", {}, "Notes"), make("ul", {}, ...run.notes.map((n) => make("li", {}, n)))] : []),
    ...run.tests.slice(-1).flatMap((t) => pairs("Passport: how it was measured", t.passport)),
    ...pairs("Environment", run.environment), ...pairs("Hashes of code and files", run.hashes));
  drawTrials(run);
  drawAnswer(run);
  byId("run").focus({ preventScroll: true });
  scrollTo(0, 0);
}

// as `bench run` says it
const ends = { budget_exhausted: "budget spent", ok: "ended by itself" };

function route() {
  const found = /^#run=([0-9a-f]+)$/.exec(location.hash);
  const shown = !byId("run").hidden;
  drawRun(found ? found[1] : null);
  const part = found ? null : document.getElementById(location.hash.slice(1));
  // the browser looked for it while it was hidden
  if (shown && part) part.scrollIntoView();
}

// all runs, sorted by a column

const columns = ["Run", "Method", "Seed", ...(data.runs.some((r) => r.prompt) ? ["Prompt"] : []), "Ended", "Seconds", "Evaluations",
  ...data.metrics.filter((m) => m.name === data.main).map((m) => m.head)];
const every = data.runs.map((r) => {
  const last = r.tests[r.tests.length - 1];
  return [r.id, data.rows[r.row].label, r.seed, ...(columns.includes("Prompt") ? [r.prompt] : []), ends[r.status] || r.status,
    r.spent.seconds, r.spent.evaluations, ...(columns.length > 6 + columns.includes("Prompt") ? [last && last.metrics[data.main]] : [])];
});

function drawEvery(which, down) {
  const lines = which === null ? every : [...every].sort((a, b) => ordered(a[which] ?? "", b[which] ?? "", down, which < 2));
  byId("every").tHead.replaceChildren(sortable(columns, which, down, (k) => {
    drawEvery(k, k === which && !down);
    byId("every").tHead.rows[0].cells[k].firstChild.focus();
  }));
  byId("every").tBodies[0].replaceChildren(...lines.map((cells) => make("tr", {},
    make("td", {}, make("a", { href: `#run=${cells[0]}` }, cells[0])), ...cells.slice(1).map((c) => make("td", {}, short(c))))));
}
