// Lecture mode: one slide a screen. The address names the slide (#lecture-theorem), so that it can be linked to and
// the browser's own back and forward work. What was measured is revealed by going forward once more.
const lecture = (() => {
  const deck = () => document.getElementById("lecture");
  const slides = () => [...(deck()?.querySelectorAll(".slide") ?? [])];
  const revealed = new Set();
  const drawn = new Map();
  const TYPE = 15;  // pixels in a chart 230 high, which is then enlarged
  let now = null;  // the id of the slide that is shown

  async function drawScreen(place) {
    const spec = fitted(charts[place.dataset.draws]);
    // Drawn small, with large type, in the shape of its place; then enlarged as a whole to fill it, lines and dots too.
    if (spec.width === "container") {
      spec.height = 230;
      spec.width = Math.min(900, Math.max(320, spec.height * place.clientWidth / Math.max(1, place.clientHeight)));
    }
    for (const part of ["axis", "legend", "header"])
      for (const type of ["labelFontSize", "titleFontSize"]) spec.config[part][type] = TYPE;
    for (const facet of Object.values(spec.facet ?? {})) if (facet.header) facet.header.labelFontSize = TYPE;
    for (const { mark } of spec.layer ?? []) if (mark.type === "text" && mark.fontSize >= 12) mark.fontSize = TYPE;
    drawn.get(place)?.finalize();
    const dark = document.documentElement.classList.contains("dark");
    drawn.set(place, await vegaEmbed(place, spec, { actions: false, renderer: "svg", tooltip: { theme: dark ? "dark" : "light" } }));
    const svg = place.querySelector("svg");
    svg.setAttribute("aria-hidden", "true");  // the place has a text of its own
    svg.removeAttribute("style");
    place.dataset.drawn = "yes";
  }

  // An explorable exists once; it is moved onto the slide and back to its chapter, with the state that it is in.
  const lent = new Map();
  function lend(slide) {
    for (const place of slide.querySelectorAll("[data-borrows]")) {
      const one = document.querySelector(`#${place.dataset.borrows} .try`);
      if (!one) continue;
      const mark = document.createComment("");
      one.replaceWith(mark);
      place.append(one);
      lent.set(one, mark);
    }
  }
  function giveBack() {
    for (const [one, mark] of lent) mark.replaceWith(one);
    lent.clear();
  }

  function show(id) {
    const all = slides(), slide = all.find(one => one.id === id) ?? all[0];
    if (!slide) return;
    giveBack();
    now = slide.id;
    document.body.classList.add("lecturing");
    for (const one of all) {
      one.classList.toggle("shown", one === slide);
      one.classList.toggle("revealed", revealed.has(one.id));
    }
    lend(slide);
    deck().querySelector(".deck [role=status]").textContent = `${all.indexOf(slide) + 1} of ${all.length}`;
    slide.querySelectorAll("[data-draws]").forEach(drawScreen);
    scrollTo(0, 0);
  }
  function leave() {
    if (now === null) return;
    giveBack();
    document.body.classList.remove("lecturing");
    now = null;
  }
  const go = id => { location.hash = id; };
  function on(by) {
    const all = slides(), at = all.findIndex(one => one.id === now), slide = all[at];
    if (by > 0 && slide.querySelector(".answer, .options") && !revealed.has(now)) {
      revealed.add(now);
      slide.classList.add("revealed");
    } else if (all[at + by]) go(all[at + by].id);
  }
  function follow() {
    if (location.hash.startsWith("#lecture")) {
      show(location.hash.slice(1).split("?")[0]);
      document.querySelector(".slide.shown h2")?.focus({ preventScroll: true });
    } else leave();
  }
  const out = () => { go("scoreboard"); };

  addEventListener("hashchange", follow);
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey || !deck()) return;
    const busy = event.target.closest("input, select, textarea, [contenteditable], svg, canvas");
    if (event.key === "l" && !busy) return now === null ? go("lecture") : out();
    if (now === null) return;
    if (event.key === "Escape") return out();
    if (busy) return;
    const pressing = event.target.closest("button, summary, a") && (event.key === " " || event.key === "Enter");
    const keys = { ArrowRight: 1, PageDown: 1, " ": 1, Enter: 1, ArrowLeft: -1, PageUp: -1 };
    if (event.key in keys && !pressing) { event.preventDefault(); on(keys[event.key]); }
    if (event.key === "Home") go(slides()[0].id);
    if (event.key === "End") go(slides().at(-1).id);
  });
  document.addEventListener("click", event => {
    const way = event.target.dataset?.go;
    if (way === "leave") out();
    else if (way) on(way === "on" ? 1 : -1);
  });
  ready.then(follow);
  return { refresh() { if (now !== null) show(now); }, reached: () => now };
})();
