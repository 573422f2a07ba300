// curves

function curves() {
  const [metric, x] = [byId("metric").value, byId("x").value];
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

// how far each is from the best value that is shown
function gaps(each, means, lower) {
  const all = [...each, ...means];
  const best = (lower ? Math.min : Math.max)(...all.map((p) => p.y));
  for (const p of all) p.y = Math.abs(p.y - best);
  for (const p of means) [p.low, p.high] = [undefined, undefined];
  return (points) => points.filter((p) => p.y > 0);
}

async function drawCurves() {
  const [metric, x] = [byId("metric").value, byId("x").value];
  let { each, means } = curves();
  const searched = metric === "searched";
  const about = data.metrics.find((m) => m.name === metric);
  let head = searched ? "searched F of the answer that stood" : about.head;
  const directed = searched || about.lower !== null;
  byId("gap").disabled = !directed;
  if (byId("gap").checked && directed) {
    const inside = gaps(each, means, searched || about.lower);
    [each, means] = [inside(each), inside(means)];
    head += ": distance to the best shown";
  }
  const points = [...each, ...means];
  const xs = scaleOf(byId("log-x").checked, points.map((p) => p[x]));
  apart(points, x, xs.type === "log");
  const ys = scaleOf(byId("log-y").checked, points.map((p) => p.y));
  const encoding = (more) => ({
    x: { field: "at", type: "quantitative", scale: xs, title: byId("x").selectedOptions[0].textContent,
      axis: { tickCount: 6, format: "~s" } },
    y: { field: "y", type: "quantitative", scale: ys, title: head },
    color: perRow("colour"),
    ...more,
  });
  const hover = [{ field: "label", title: "method" }, number("y", head), number("seconds", "seconds"),
    number("evaluations", "evaluations"), number("proposals", "answers")];
  const [dash, shape] = [perRow("dash"), perRow("shape")];
  const step = (more) => ({ type: "line", interpolate: "step-after", ...more });
  const layers = [];
  if (byId("each").checked || searched) {
    layers.push({ data: { values: each }, mark: step({ opacity: 0.45, strokeWidth: 1 }),
      encoding: encoding({ detail: { field: "run" }, strokeDash: dash }) });
    layers.push({ data: { values: each }, mark: { type: "point", size: 14, opacity: 0.6, filled: true },
      encoding: encoding({ shape, tooltip: [...hover, { field: "run", title: "run" }] }) });
  }
  layers.push({ data: { values: means.filter((p) => p.low !== undefined) }, mark: { type: "rule", opacity: 0.7 },
    encoding: { ...encoding({}), y: { field: "low", type: "quantitative", scale: ys, title: head }, y2: { field: "high" } } });
  layers.push({ data: { values: means }, mark: step({ strokeWidth: 2 }), encoding: encoding({ strokeDash: dash }) });
  layers.push({ data: { values: means.length ? kept(means) : [] }, mark: { type: "line", strokeWidth: 1, opacity: 0.7 },
    encoding: encoding({ detail: { field: "row" } }) });
  layers.push({ data: { values: means }, mark: { type: "point", filled: true, size: 70, opacity: 1 },
    encoding: encoding({ shape, tooltip: [...hover, number("low", "95 % from"), number("high", "to")] }) });
  view = await drawIn("chart", layers, 340);
  byId("chart-note").textContent = view
    ? "Steps, for between two marks nothing is measured. Bars are 95 % intervals over seeds."
    : "No chosen method has an answer at this budget.";
}
