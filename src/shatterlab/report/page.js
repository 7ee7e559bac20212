const charts = JSON.parse(document.getElementById("charts").textContent);
const views = {};
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 640px)");

// The definition as it is printed, fitted to this page: title in the caption, colours of the mode, width of the place.
function fitted(definition) {
  // The colours of the charts are variables of the page, so that they change with its theme.
  const spec = JSON.parse(JSON.stringify(definition).replace(/"#([0-9A-F]{6})"/g, '"var(--c-$1, #$1)"'));
  const [ink, soft, line] = ["var(--ink)", "var(--soft)", "var(--line)"];  // so that they change with the theme
  delete spec.title;
  const images = JSON.stringify(spec.layer ?? "").includes('"image"');
  if (!spec.facet && !images) { spec.width = "container"; spec.autosize = { type: "fit-x", contains: "padding" }; }
  if (spec.facet && narrow.matches && spec.spec) {
    // A phone has no room for names beside the plots: they stand above, and the rest is as wide as the screen.
    spec.spec.width = 150;
    for (const facet of Object.values(spec.facet))
      if (facet.header) Object.assign(facet.header, { labelOrient: "top", labelAnchor: "start" });
  }
  const config = spec.config ??= {};
  config.background = "transparent";
  for (const part of ["axis", "legend", "header"])
    config[part] = { ...config[part], labelColor: ink, titleColor: ink };
  Object.assign(config.axis, { gridColor: line, domainColor: soft, tickColor: soft });
  config.text = { ...config.text, color: ink };
  if (narrow.matches) Object.assign(config.legend, { orient: "bottom", columns: 1, labelLimit: 300 });
  return spec;
}

async function draw(id) {
  const place = document.getElementById(id);
  if (!place) return;
  views[id]?.finalize();
  const dark = document.documentElement.classList.contains("dark");
  const result = await vegaEmbed(place, fitted(charts[id]), { actions: false, renderer: "svg", tooltip: { theme: dark ? "dark" : "light" } });
  views[id] = result;
  place.querySelector("svg").setAttribute("aria-hidden", "true");  // the place has a text of its own
  place.dataset.drawn = "yes";
}
const drawAll = () => Promise.all(Object.keys(charts).map(draw));

// The largest of a chart's tables, without pictures, one line a record.
function csv(definition) {
  const rows = Object.values(definition.datasets ?? {}).sort((a, b) => b.length - a.length)[0] ?? [];
  const columns = [...new Set(rows.flatMap(Object.keys))].filter(name => name !== "url");
  const cell = value => value == null ? "" : /[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value;
  return [columns, ...rows.map(row => columns.map(name => row[name]))].map(line => line.map(cell).join(",")).join("\n") + "\n";
}

document.addEventListener("click", event => {
  const id = event.target.dataset?.chart;
  if (!id) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv(charts[id])], { type: "text/csv" }));
  link.download = `${id}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
});

const button = document.getElementById("theme");
function theme(dark) {
  document.documentElement.classList.toggle("dark", dark);
  button.setAttribute("aria-pressed", dark);
  return drawAll();
}
button.addEventListener("click", () => theme(!document.documentElement.classList.contains("dark")));
systemDark.addEventListener("change", event => theme(event.matches));
narrow.addEventListener("change", drawAll);
window.ready = theme(systemDark.matches);

// On paper everything is open, and each chart is laid out anew for the page: its shape changes, not only its scale.
const PAPER = [695, 115];  // pixels: an A4 page has 700 between its margins
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const one of closed) one.open = true;
  for (const [id, { view }] of Object.entries(views)) if (flows(id)) view.width(PAPER[0]).height(PAPER[1]).run();
});
addEventListener("afterprint", () => {
  for (const one of closed) one.open = false;
  for (const id of Object.keys(views)) if (flows(id)) draw(id);
});
// Whether a chart takes the width of its place, which charts with pictures or several plots do not.
const flows = id => fitted(charts[id]).width === "container";
