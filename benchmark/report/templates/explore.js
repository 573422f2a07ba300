"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const end = data.budgets.length - 1;
  // all that the reader has chosen
  const chosen = { budget: end, off: new Set(), filter: "", sort: null, down: false };
  let view = null;

  // texts of users are only ever set as text
  function make(tag, words, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(words || {})) {
      if (key === "style") node.style.cssText = value;
      else if (key in node) node[key] = value;
      else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  function short(value) {
    if (value === null || value === undefined) return "-";
    return typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);
  }

  const listed = (values) => Object.entries(values).map(([k, v]) => `${k} ${short(v)}`).join(", ");

  function save(name, content, type) {
    const url = typeof content === "string" && content.startsWith("data:")
      ? content : URL.createObjectURL(new Blob([content], { type }));
    make("a", { href: url, download: name }).click();
  }

  // the table at the chosen budget

  const rowOf = (text) => data.rows.findIndex((r) => text === r.label || text.startsWith(`${r.label} `));

  function visible(text) {
    const row = rowOf(text);
    return !(chosen.off.has(row)) && text.toLowerCase().includes(chosen.filter);
  }

  function compare(a, b) {
    const [x, y] = [a, b].map((line) => line[chosen.sort][0]);
    const [m, n] = [x, y].map((text) => parseFloat(text.replaceAll("\u2212", "-")));
    // what has no number comes last, whichever way
    if (isNaN(m) !== isNaN(n) && chosen.sort) return isNaN(m) ? 1 : -1;
    const way = chosen.down ? -1 : 1;
    return way * (isNaN(m) || !chosen.sort ? x.localeCompare(y) : m - n);
  }

  function drawTable() {
    const { heads, lines } = data.tables[chosen.budget];
    const [head, body] = [byId("rows").tHead, byId("rows").tBodies[0]];
    head.replaceChildren(make("tr", {}, ...heads.map((text, k) => {
      const sorted = k !== chosen.sort ? "none" : chosen.down ? "descending" : "ascending";
      const button = make("button", { type: "button" }, text, sorted === "none" ? "" : chosen.down ? " \u25be" : " \u25b4");
      button.onclick = () => {
        [chosen.down, chosen.sort] = [chosen.sort === k && !chosen.down, k];
        drawTable();
        head.rows[0].cells[k].firstChild.focus();
      };
      return make("th", { scope: "col", "aria-sort": sorted }, button);
    })));
    const shown = lines.filter((line) => visible(line[0][0]));
    if (chosen.sort !== null) shown.sort(compare);
    body.replaceChildren(...shown.map((line) => make("tr", {}, ...line.map(([text, mark], k) => {
      const inside = mark ? make(mark === "best" ? "b" : "i", {}, text) : text;
      return make(k ? "td" : "th", k ? {} : { scope: "row" }, inside);
    }))));
  }

  // curves

  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(name).trim();
  };

  function curves() {
    const [metric, x] = [byId("metric").value, byId("x").value];
    const unit = data.unit;
    const limit = data.budgets[chosen.budget].amount;
    const inside = (p) => !chosen.off.has(p.row) && (x !== unit || chosen.budget === end || p[x] <= limit * 1.001);
    const named = (p, more) => ({ ...p, ...more, label: data.rows[p.row].label });
    if (metric === "searched") {
      const each = data.searched.flatMap((s) => s.points.map((p) => named({ ...p, row: s.row }, { run: s.run })));
      return { each: each.filter(inside), means: [] };
    }
    const upTo = (p) => p.mark <= chosen.budget && !chosen.off.has(p.row);
    const each = data.points.filter((p) => upTo(p) && metric in p.m).map((p) => named(p, { y: p.m[metric] }));
    const means = data.means.filter((p) => upTo(p) && p.metric === metric).map((p) => named(p, {}));
    return { each, means };
  }

  // rows a little beside each other, so that their intervals can be told
  function apart(points, x, log) {
    const shown = data.rows.map((_, k) => k).filter((k) => !chosen.off.has(k));
    const width = Math.max(...points.map((p) => p[x])) * 0.004;
    for (const p of points) {
      const place = shown.indexOf(p.row) - (shown.length - 1) / 2;
      p.at = log ? p[x] * 1.012 ** place : p[x] + width * place;
    }
  }

  // a search that ended keeps its answer to the right edge
  function kept(means) {
    const right = Math.max(...means.map((p) => p.at));
    const last = new Map(means.map((p) => [p.row, p]));
    return [...last.values()].filter((p) => p.at < right).flatMap((p) => [p, { ...p, at: right }]);
  }

  function spec() {
    const [metric, x] = [byId("metric").value, byId("x").value];
    const { each, means } = curves();
    const colour = theme();
    const rows = data.rows.filter((_, k) => !chosen.off.has(k));
    const scale = (log, values) => (log && values.every((v) => v > 0)
      ? { type: "log", nice: false } : { type: "linear", zero: false, nice: false });
    const points = [...each, ...means];
    const xs = scale(byId("log-x").checked, points.map((p) => p[x]));
    apart(points, x, xs.type === "log");
    const ends = kept(means);
    const ys = scale(byId("log-y").checked, points.map((p) => p.y));
    const head = metric === "searched" ? "searched F of the answer that stood" : data.metrics.find((m) => m.name === metric).head;
    const title = byId("x").selectedOptions[0].textContent;
    const encoding = (more) => ({
      x: { field: "at", type: "quantitative", scale: xs, title, axis: { tickCount: 6, format: "~s" } },
      y: { field: "y", type: "quantitative", scale: ys, title: head },
      color: { field: "label", type: "nominal", legend: null,
        scale: { domain: rows.map((r) => r.label), range: rows.map((r) => r.colour) } },
      ...more,
    });
    const number = (field, name) => ({ field, type: "quantitative", format: ".5~g", title: name });
    const hover = [{ field: "label", title: "method" }, number("y", head), number("seconds", "seconds"),
      number("evaluations", "evaluations"), number("proposals", "answers")];
    const dash = { field: "label", type: "nominal", legend: null,
      scale: { domain: rows.map((r) => r.label), range: rows.map((r) => r.dash) } };
    const shape = { field: "label", type: "nominal", legend: null,
      scale: { domain: rows.map((r) => r.label), range: rows.map((r) => r.shape) } };
    const layers = [];
    if (byId("each").checked || metric === "searched") {
      layers.push({ data: { values: each }, mark: { type: "line", interpolate: "step-after", opacity: 0.45, strokeWidth: 1 },
        encoding: encoding({ detail: { field: "run" }, strokeDash: dash }) });
      layers.push({ data: { values: each }, mark: { type: "point", size: 14, opacity: 0.6, filled: true },
        encoding: encoding({ shape, tooltip: [...hover, { field: "run", title: "run" }] }) });
    }
    if (means.length) {
      layers.push({ data: { values: means.filter((p) => "low" in p) }, mark: { type: "rule", opacity: 0.7 },
        encoding: { ...encoding({}), y: { field: "low", type: "quantitative", scale: ys, title: head }, y2: { field: "high" } } });
      layers.push({ data: { values: means }, mark: { type: "line", interpolate: "step-after", strokeWidth: 2 },
        encoding: encoding({ strokeDash: dash }) });
      layers.push({ data: { values: ends }, mark: { type: "line", strokeWidth: 1, opacity: 0.7 },
        encoding: encoding({ detail: { field: "row" } }) });
      layers.push({ data: { values: means }, mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: encoding({ shape, tooltip: [...hover, number("low", "95 % from"), number("high", "to")] }) });
    }
    const axis = { labelColor: colour("--ink"), titleColor: colour("--ink"), gridColor: colour("--line"),
      domainColor: colour("--soft"), tickColor: colour("--soft") };
    return { width: "container", height: 340, background: colour("--paper"), layer: layers.filter((l) => l.data.values.length),
      data: { values: [] }, config: { axis, view: { stroke: null }, font: "system-ui, sans-serif" } };
  }

  async function drawCurves() {
    const found = spec();
    const some = found.layer.some((l) => l.data.values.length);
    byId("chart").hidden = !some;
    byId("chart-note").textContent = some
      ? "Steps, for between two marks nothing is measured. Bars are 95 % intervals over seeds."
      : "No chosen method has an answer at this budget.";
    if (!some) return;
    const made = await vegaEmbed(byId("chart"), found, { actions: false, renderer: "svg" });
    view = made.view;
  }

  // the gallery at the chosen budget

  function drawGallery() {
    const [seed, prompt] = [byId("seed").value, byId("prompt").value];
    const own = data.runs.filter((r) => String(r.seed) === seed && r.prompt === prompt && !chosen.off.has(r.row));
    const figures = own.map((run) => {
      const stood = data.points.filter((p) => p.run === run.id && p.mark <= chosen.budget).pop();
      const label = data.rows[run.row].label;
      const caption = make("figcaption", {}, make("b", {}, label), " ");
      if (!stood) return make("figure", {}, make("figcaption", {}, `${label}: no answer yet`));
      const scores = data.metrics.filter((m) => m.name in stood.m).map((m) => `${m.head} ${short(stood.m[m.name])}`);
      caption.append(scores.join(", "), " ", make("a", { href: `#run=${run.id}` }, "run"),
        make("details", {}, make("summary", {}, "lam"), listed(stood.lam)));
      const source = run.images && (run.images[stood.test] || null);
      const image = source ? [make("img", { src: source, alt: `Images of ${label} at seed ${seed}` })]
        : [make("p", {}, run.images ? "No picture of this mark." : "Left out of the page for its size.")];
      return make("figure", {}, ...image, caption);
    });
    byId("strips").replaceChildren(...(figures.length ? figures : [make("p", {}, "No run of this seed and prompt.")]));
  }

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

  // set up once

  function options(select, values) {
    select.replaceChildren(...values.map(([value, text]) => make("option", { value }, text)));
  }

  function draw() {
    byId("budget-text").textContent = data.budgets[chosen.budget].label;
    byId("budget").setAttribute("aria-valuetext", data.budgets[chosen.budget].label);
    drawTable();
    drawCurves();
    drawGallery();
  }

  byId("reading").textContent = data.reading;
  byId("footnote").textContent = data.footnote;
  Object.assign(byId("budget"), { max: end, value: end, disabled: end === 0 });
  byId("budget").oninput = (e) => { chosen.budget = Number(e.target.value); draw(); };
  byId("filter").oninput = (e) => { chosen.filter = e.target.value.toLowerCase(); drawTable(); };
  data.rows.forEach((row, k) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.onchange = () => { chosen.off[box.checked ? "delete" : "add"](k); draw(); };
    byId("methods").append(make("label", {}, box, make("span", { className: "swatch", style: `background:${row.colour}` }), row.label));
  });
  options(byId("metric"), [...data.metrics.map((m) => [m.name, m.head]), ["searched", "searched F"]]);
  byId("metric").value = data.main || "searched";
  byId("x").value = data.unit;
  for (const id of ["metric", "x", "log-x", "log-y", "each"]) byId(id).onchange = drawCurves;
  const pictured = data.runs.filter((r) => r.images && r.images.length);
  byId("gallery").hidden = !data.runs.some((r) => !r.images || r.images.length);
  const different = (values) => [...new Set(values)];
  options(byId("seed"), different(data.runs.map((r) => String(r.seed))).sort((a, b) => a - b).map((s) => [s, s]));
  options(byId("prompt"), different(data.runs.map((r) => r.prompt)).map((p) => [p, p || "(none)"]));
  byId("prompt").parentElement.hidden = byId("prompt").length < 2;
  if (pictured.length) byId("seed").value = String(Math.min(...pictured.map((r) => r.seed)));
  byId("seed").onchange = byId("prompt").onchange = drawGallery;
  byId("pictures").hidden = !data.pictures.length;
  byId("pictures").append(...data.pictures.map((p) => make("figure", {},
    make("img", { src: p.src, alt: p.name.replaceAll("_", " "), loading: "lazy" }),
    make("figcaption", {}, p.name.replaceAll("_", " ")))));
  byId("every").tHead.append(make("tr", {}, ...["Run", "Method", "Seed", "Prompt", "Status", "Seconds", "Evaluations"].map((h) => make("th", { scope: "col" }, h))));
  byId("every").tBodies[0].append(...data.runs.map((r) => make("tr", {},
    make("td", {}, make("a", { href: `#run=${r.id}` }, r.id)),
    ...[data.rows[r.row].label, r.seed, r.prompt, r.status, r.spent.seconds, r.spent.evaluations].map((c) => make("td", {}, short(c))))));
  byId("fewer").hidden = data.runs.length === data.run_count;
  byId("fewer").textContent = `The ${data.runs.length} runs of the lowest seeds, of ${data.run_count}: tables, means and statistics are of all, single runs and their curves of these. bench report on fewer has the others.`;
  byId("get-csv").onclick = () => save("table1.csv", data.files[chosen.budget].csv, "text/csv");
  byId("get-tex").onclick = () => save("table1.tex", data.files[chosen.budget].tex, "text/plain");
  byId("get-differences").onclick = () => save("differences.csv", data.differences, "text/csv");
  if (byId("get-statistics")) byId("get-statistics").onclick = () => save("statistics.csv", data.statistics, "text/csv");
  byId("get-png").onclick = async () => save("curves.png", await view.toImageURL("png", 2));
  byId("get-svg").onclick = async () => save("curves.svg", await view.toSVG(), "image/svg+xml");
  byId("controls").onsubmit = (e) => e.preventDefault();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCurves);
  addEventListener("hashchange", route);
  draw();
  route();
})();
