const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const end = data.budgets.length - 1;
// all that the reader has chosen
const chosen = { budget: end, off: new Set(), hidden: new Set(), filter: "", sort: null, down: false };

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

// a heading that sorts; which and way are the present choice, sort is called with a column
function sortable(heads, which, down, sort) {
  return make("tr", {}, ...heads.map((text, k) => {
    const sorted = k !== which ? "none" : down ? "descending" : "ascending";
    const button = make("button", { type: "button" }, text, sorted === "none" ? "" : down ? " \u25be" : " \u25b4");
    button.onclick = () => sort(k);
    return make("th", { scope: "col", "aria-sort": sorted }, button);
  }));
}

// by numbers where both have one; what has none comes last, whichever way
function ordered(x, y, down, texts) {
  const [m, n] = [x, y].map((text) => parseFloat(String(text).replaceAll("\u2212", "-")));
  if (isNaN(m) !== isNaN(n) && !texts) return isNaN(m) ? 1 : -1;
  return (down ? -1 : 1) * (isNaN(m) || texts ? String(x).localeCompare(String(y)) : m - n);
}

const listed = (values) => Object.entries(values).map(([k, v]) => `${k} ${short(v)}`).join(", ");

function save(name, content, type) {
  const url = typeof content === "string" && content.startsWith("data:")
    ? content : URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
}
