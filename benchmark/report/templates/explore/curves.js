// curves

function curves(metric, x) {
  const limit = data.budgets[chosen.budget].amount;
  const inside = (p) => !chosen.off.has(p.row) && (x !== data.unit || chosen.budget === end || p[x] <= limit * 1.001);
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
  const shown = shownRows();
  const width = Math.max(...points.map((p) => p[x])) * 0.003;
  for (const p of points) {
    const place = shown.indexOf(p.row) - (shown.length - 1) / 2;
    p.at = log ? p[x] * 1.006 ** place : p[x] + width * place;
  }
}

// a search that ended keeps its answer to the right edge
function kept(means) {
  const right = Math.max(...means.map((p) => p.at));
  const last = new Map(means.map((p) => [p.row, p]));
  return [...last.values()].filter((p) => p.at < right).flatMap((p) => [p, { ...p, at: right }]);
}

// how far each is from the best value that is shown; an interval has no place there
function gaps(points, lower) {
  const best = (lower ? Math.min : Math.max)(...points.map((p) => p.y));
  return points.map((p) => ({ ...p, y: Math.abs(p.y - best), low: undefined })).filter((p) => p.y > 0);
}

// each run's value at the chosen budget, a method beside the other
async function drawStrip(metric) {
  const points = stood().filter((p) => metric in p.m).map((p) => named(p, { y: p.m[metric] }));
  const head = data.metrics.find((m) => m.name === metric).head;
  const ys = scaleOf(byId("log-y").checked, points.map((p) => p.y));
  const x = { field: "label", type: "nominal", sort: data.rows.map((r) => r.label), title: null, axis: { labelAngle: -30 } };
  const y = { field: "y", type: "quantitative", scale: ys, title: head };
  const told = [{ field: "label", title: "method" }, { field: "seed", title: "seed" }, { field: "prompt", title: "prompt" }, number("y", head)];
  const view = await drawIn("chart", [
    { data: { values: points }, mark: { type: "point", filled: false, size: 40, opacity: 0.75 },
      encoding: { x, y, color: perRow("colour"), fill: filling(), shape: perRow("shape"), tooltip: told } },
    { data: { values: points }, mark: { type: "tick", thickness: 2, width: 34 },
      encoding: { x, y: { ...y, aggregate: "median" }, color: perRow("colour") } },
  ], 340);
  if (saving) return view;
  for (const id of ["get-png", "get-svg"]) byId(id).disabled = !view;
  byId("chart-note").textContent = "Each point is a run at this budget; the line is their median. A click opens a run.";
  return view;
}

const over = { seconds: "seconds of search", evaluations: "network evaluations", steps: "steps of the lower level", proposals: "answers proposed" };

// the curves as a picture for a file
async function savedCurves() {
  saving = true;
  try {
    return await drawCurves();
  } finally {
    saving = false;
  }
}

// the view
async function drawCurves() {
  const metric = byId("metric").value;
  const searched = metric === "searched";
  const x = searched && byId("x").value === "method" ? data.unit : byId("x").value;
  const strip = x === "method" && !searched;
  for (const id of ["log-x", "each"]) byId(id).disabled = strip || (id === "each" && searched);
  if (strip) return drawStrip(metric);
  let { each, means } = curves(metric, x);
  if (!byId("each").checked && !searched) each = [];
  const about = data.metrics.find((m) => m.name === metric);
  let head = searched ? "searched F of the answer that stood" : about.head;
  const directed = searched || about.lower !== null;
  byId("gap").disabled = !directed;
  const gap = byId("gap").checked && directed;
  if (gap) {
    const both = gaps([...each, ...means.map((p) => ({ ...p, mean: true }))], searched || about.lower);
    [each, means] = [both.filter((p) => !p.mean), both.filter((p) => p.mean)];
    head += ": distance to the best shown";
  }
  const points = [...each, ...means];
  const xs = scaleOf(byId("log-x").checked, points.map((p) => p[x]));
  apart(points, x, xs.type === "log");
  const ys = scaleOf(byId("log-y").checked, points.map((p) => p.y));
  const encoding = (more) => ({
    x: { field: "at", type: "quantitative", scale: xs, title: over[x],
      axis: { tickCount: 6, format: "~s" } },
    y: { field: "y", type: "quantitative", scale: ys, title: head },
    color: perRow("colour"),
    ...more,
  });
  const hover = [{ field: "label", title: "method" }, number("y", head), number("seconds", "seconds"),
    number("evaluations", "evaluations"), ...(data.steps ? [number("steps", "steps")] : []), number("proposals", "answers")];
  const [dash, shape] = [perRow("dash"), perRow("shape")];
  const step = (more) => ({ type: "line", interpolate: "step-after", ...more });
  const layers = [];
  if (each.length) {
    layers.push({ data: { values: each }, mark: step({ opacity: 0.45, strokeWidth: 1 }),
      encoding: encoding({ detail: { field: "run" }, strokeDash: dash }) });
    layers.push({ data: { values: each }, mark: { type: "point", size: 14, opacity: 0.6, filled: false, strokeWidth: 1 },
      encoding: encoding({ shape, fill: filling(), tooltip: [...hover, { field: "run", title: "run" }] }) });
  }
  layers.push({ data: { values: means.filter((p) => p.low !== undefined) }, mark: { type: "rule", opacity: 0.7 },
    encoding: { ...encoding({}), y: { field: "low", type: "quantitative", scale: ys, title: head }, y2: { field: "high" } } });
  layers.push({ data: { values: means }, mark: step({ strokeWidth: 2 }), encoding: encoding({ strokeDash: dash }) });
  layers.push({ data: { values: means.length ? kept(means) : [] }, mark: { type: "line", strokeWidth: 1, opacity: 0.7 },
    encoding: encoding({ detail: { field: "row" } }) });
  layers.push({ data: { values: means }, mark: { type: "point", filled: false, size: 60, opacity: 1 },
    encoding: encoding({ shape, fill: filling(), tooltip: [...hover, number("low", "95 % from"), number("high", "to")] }) });
  const view = await drawIn("chart", layers, 340);
  if (saving) return view;
  const bars = searched ? "Each run by itself." : gap ? "Without intervals: the best is one of them." : "Bars are 95 % intervals over seeds.";
  for (const id of ["get-png", "get-svg"]) byId(id).disabled = !view;
  byId("chart-note").textContent = view
    ? `Steps, for between two marks nothing is measured. ${bars} Points at one budget are drawn a little beside each other.`
    : "No chosen method has an answer at this budget.";
  return view;
}
