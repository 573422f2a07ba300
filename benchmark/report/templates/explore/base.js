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
