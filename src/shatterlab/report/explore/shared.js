// What the explorables share: random numbers, drawing, controls, points that can be moved, and the state in the address.
window.explore = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const makers = {};
  const made = {};  // of each explorable what tests and other parts may ask for

  // Numbers that are the same for everyone who begins with the same seed (mulberry32).
  function random(seed) {
    let state = seed >>> 0;
    const uniform = () => {
      state = (state + 0x6D2B79F5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normal };
  }

  function add(parent, tag, attributes = {}, text = null) {
    const inside = parent.namespaceURI === SVG || tag === "svg";
    const one = inside ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    if (text !== null) one.textContent = text;
    parent.append(one);
    return one;
  }

  const finite = numbers => numbers.every(Number.isFinite);
  const said = (number, write) => Number.isFinite(number) ? write(number) : "not finite";
  const percent = share => `${Math.round(100 * share)} %`;
  const short = number => number === 0 ? "0" : Math.abs(number) < 1e-3 || Math.abs(number) >= 1e4 ? number.toExponential(1) : number.toPrecision(3);

  // The state lies in the address after a question mark, as in #try-network?network.noise=100.
  const stored = () => new URLSearchParams(location.hash.split("?")[1] ?? "");
  function store(key, value) {
    const parameters = stored();
    parameters.set(key, value);
    const place = location.hash.split("?")[0];
    try {  // a page within a notebook has no address of its own
      history.replaceState(null, "", `${/^#(try|lecture)-/.test(place) ? place : `#try-${key.split(".")[0]}`}?${parameters}`);
    } catch {}
  }

  // A place for an explorable: pictures on the left, controls, numbers and a sentence on the right.
  function frame(place, name) {
    place.textContent = "";
    const pictures = add(place, "div", { class: "pictures" }), controls = add(place, "div", { class: "controls" });
    const rows = {};
    const ui = { name, pictures, controls };

    // A slider whose value is a number, or a place in a list of values.
    ui.slider = (key, label, { values = null, min = 0, max = 100, step = 1, value, show = String }, change) => {
      const id = `${name}-${key}`, line = add(controls, "p", { class: "control" });
      add(line, "label", { for: id }, label);
      const output = add(line, "output", { for: id }), limits = values ? { min: 0, max: values.length - 1, step: 1 } : { min, max, step };
      const input = add(line, "input", { type: "range", id, ...limits });
      const real = () => values ? values[+input.value] : +input.value;
      const set = (number, keep = true) => {
        input.value = values ? Math.max(0, values.indexOf(number)) : number;
        output.value = show(real());
        input.setAttribute("aria-valuetext", show(real()));
        if (keep) store(`${name}.${key}`, real());
      };
      const before = stored().get(`${name}.${key}`);
      const allowed = before !== null && Number.isFinite(+before) && (values ? values.includes(+before) : +before >= min && +before <= max);
      set(allowed ? +before : value, false);
      input.addEventListener("input", () => { set(real()); change(); });
      return { get value() { return real(); }, set value(number) { set(number); } };
    };
    ui.buttons = entries => {
      const row = add(controls, "p", { class: "buttons" });
      return Object.fromEntries(Object.entries(entries).map(([text, press]) => {
        const button = add(row, "button", { type: "button" }, text);
        button.addEventListener("click", press);
        return [text, button];
      }));
    };
    // Buttons of which one is chosen.
    ui.choice = (key, names, change) => {
      let chosen = names[stored().get(`${name}.${key}`)] ?? names[0];
      const buttons = ui.buttons(Object.fromEntries(names.map(one => [one, () => { set(one); change(); }])));
      const press = () => names.forEach(one => buttons[one].setAttribute("aria-pressed", one === chosen));
      const set = one => { chosen = one; press(); store(`${name}.${key}`, names.indexOf(one)); };
      press();
      return { get value() { return chosen; }, set value(one) { set(one); } };
    };
    ui.numbers = (names, colours = {}) => {
      const list = add(controls, "dl", { class: "readout" });
      for (const one of names) {
        const line = add(list, "div");
        add(line, "dt", colours[one] ? { class: colours[one] } : {}, one);
        rows[one] = add(line, "dd");
      }
      ui.sentence = add(controls, "p", { class: "say", role: "status" });
    };
    ui.tell = (one, text) => { if (rows[one].textContent !== text) rows[one].textContent = text; };
    ui.say = text => { if (ui.sentence.textContent !== text) ui.sentence.textContent = text; };
    return ui;
  }

  // A plot of `width` x `height` units with axes from `x` = [low, high] and `y` = [low, high]; log tells that y is logarithmic.
  function plot(parent, { label, width = 430, height = 260, x, y, log = false, x_title = "", y_title = "", left = 58, bottom = 40 }) {
    const picture = add(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
    const inner = [left, width - 24, height - bottom, 14];
    const scale = log ? value => Math.log10(Math.max(value, 1e-300)) : value => value;
    const at = (value, [low, high], from, to) => from + (value - low) / (high - low) * (to - from);
    const across = value => at(value, x, inner[0], inner[1]);
    const down = value => at(scale(value), y.map(scale), inner[2], inner[3]);
    const back = (px, py) => {
      const box = picture.getBoundingClientRect();
      const u = (px - box.left) / box.width * width, v = (py - box.top) / box.height * height;
      return [x[0] + (u - inner[0]) / (inner[1] - inner[0]) * (x[1] - x[0]), y[0] + (v - inner[2]) / (inner[3] - inner[2]) * (y[1] - y[0])];
    };
    const axes = add(picture, "g"), scales = add(picture, "g");
    const ticks = (axis, values, write = String) => {
      for (const value of values) {
        if (axis === "x") {
          add(scales, "line", { class: "grid", x1: across(value), x2: across(value), y1: inner[2], y2: inner[3] });
          add(scales, "text", { class: "middle", x: across(value), y: inner[2] + 17 }, write(value));
        } else {
          add(scales, "line", { class: "grid", x1: inner[0], x2: inner[1], y1: down(value), y2: down(value) });
          add(scales, "text", { class: "end", x: inner[0] - 5, y: down(value) + 5 }, write(value));
        }
      }
    };
    if (x_title) add(axes, "text", { class: "middle", x: (inner[0] + inner[1]) / 2, y: height - 4 }, x_title);
    if (y_title) add(axes, "text", { x: 2, y: 11 }, y_title);
    const layer = add(picture, "g");
    const clear = () => { layer.textContent = ""; };
        const line = (points, kind) => {
      const kept = points.filter(point => finite(point) && (!log || point[1] > 0));
      if (kept.length > 1) add(layer, "path", { class: kind, d: "M" + kept.map(([u, v]) => `${across(u).toFixed(1)},${Math.min(height * 3, Math.max(-2 * height, down(v))).toFixed(1)}`).join("L") });
    };
    const dot = (u, v, kind, r = 5) => { if (finite([u, v])) add(layer, "circle", { class: kind, cx: across(u), cy: down(v), r }); };
    const upright = u => add(layer, "line", { class: "dash", x1: across(u), x2: across(u), y1: inner[2], y2: inner[3] });
    const text = (u, v, words, kind = "") => add(layer, "text", { class: kind, x: across(u), y: down(v) }, words);
    return { picture, scales, across, down, back, ticks, clear, line, dot, upright, text, x, y };
  }

  // A point that is dragged by pointer or finger, or moved by the arrow keys while it has the focus.
  function grip(view, label, colour, where, moved) {
    const one = add(view.picture, "g", { class: "grip", tabindex: 0, role: "button", "aria-label": `${label}: drag it, or press the arrow keys` });
    const touch = add(one, "circle", { class: "touch", r: 20 }), handle = add(one, "circle", { class: `handle ${colour}`, r: 8 });
    const place = () => { const [u, v] = where(); if (finite([u, v])) for (const part of [touch, handle]) { part.setAttribute("cx", view.across(u)); part.setAttribute("cy", view.down(v)); } };
    const move = (u, v) => moved(Math.min(view.x[1], Math.max(view.x[0], u)), Math.min(view.y[1], Math.max(view.y[0], v)));
    one.addEventListener("pointerdown", event => { one.setPointerCapture(event.pointerId); one.focus(); event.preventDefault(); });
    one.addEventListener("pointermove", event => { if (one.hasPointerCapture(event.pointerId)) move(...view.back(event.clientX, event.clientY)); });
    one.addEventListener("keydown", event => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      const [u, v] = where(), step = event.shiftKey ? 0.1 : 0.02;
      move(u + way[0] * step * (view.x[1] - view.x[0]), v + way[1] * step * (view.y[1] - view.y[0]));
    });
    place();
    return { place, remove: () => one.remove() };
  }

  // Solves a symmetric positive definite system in place by Cholesky's method; rows are arrays.
  function solve(matrix, right) {
    const n = right.length, L = matrix.map(row => Float64Array.from(row)), z = Float64Array.from(right);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = L[i][j];
        for (let k = 0; k < j; k++) sum -= L[i][k] * L[j][k];
        L[i][j] = i === j ? Math.sqrt(sum) : sum / L[j][j];
      }
      let sum = z[i];
      for (let k = 0; k < i; k++) sum -= L[i][k] * z[k];
      z[i] = sum / L[i][i];
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) z[i] -= L[k][i] * z[k];
      z[i] /= L[i][i];
    }
    return z;
  }

  // Calls `step` in each frame while it is seen and wants to go on; a reader who wants less motion sees every tenth frame drawn.
  function loop(place, step) {
    let seen = true, going = false;
    new IntersectionObserver(entries => { seen = entries.at(-1).isIntersecting; if (seen) wake(); }).observe(place);
    function frame() {
      going = seen && step();
      if (going) requestAnimationFrame(frame);
    }
    function wake() { if (!going) { going = true; requestAnimationFrame(frame); } }
    return wake;
  }

  const define = (name, maker) => { makers[name] = maker; };
  function begin() {
    for (const place of document.querySelectorAll("[data-explore]")) {
      const name = place.dataset.explore;
      if (makers[name]) made[name] = makers[name](place, frame(place, name));
    }
    const wanted = location.hash.slice(1).split("?")[0];
    if (wanted.startsWith("try-")) document.getElementById(wanted)?.scrollIntoView();
  }
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", begin) : begin();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  return { define, random, add, plot, grip, solve, loop, said, percent, short, finite, calm, made };
})();
