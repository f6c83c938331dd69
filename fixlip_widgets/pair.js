// Image and caption of a pair: patches over the picture, words as buttons, lines between them.
// Conditioning on hover needs no kernel: all interactions are here.
const SVG = "http://www.w3.org/2000/svg";
const ENDS = [[33, 102, 172], [247, 247, 247], [178, 24, 43]];

function colour(value, scale) {
  const t = Math.max(-1, Math.min(1, scale > 0 ? value / scale : 0));
  const end = t < 0 ? ENDS[0] : ENDS[2];
  return ENDS[1].map((middle, k) => Math.round(middle + Math.abs(t) * (end[k] - middle)));
}
const css = (rgb) => `rgb(${rgb.join(",")})`;
const ink = (rgb) => (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2] > 140 ? "#111" : "#fff");
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(Math.abs(value) < 0.095 ? 3 : 2);
// Within this many standard errors of zero a value is not told from it: no number is written into its patch.
const CERTAIN = 1.645;
const floats = (data) => new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));

function element(name, parent, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "fixlip";
  el.append(root);
  let hovered = -1;
  let parts = null;

  const count = () => model.get("grid")[0] * model.get("grid")[1];
  const label = (player) => {
    const [, columns] = model.get("grid");
    if (player >= count()) return model.get("tokens")[player - count()];
    return `patch ${Math.floor(player / columns) + 1},${(player % columns) + 1}`;
  };

  function click(player) {
    if (model.get("mode") === "mask") {
      if (!model.get("live")) return;
      const present = [...model.get("present")];
      present[player] = !present[player];
      model.set("present", present);
    } else {
      model.set("selected", model.get("selected") === player ? -1 : player);
    }
    model.save_changes();
    paint();
  }

  function hover(player) {
    if (model.get("mode") === "explain") {
      hovered = player;
      paint();
    }
  }

  function build() {
    root.replaceChildren();
    const [rows, columns] = model.get("grid");
    const picture = document.createElement("div");
    picture.className = "picture";
    root.append(picture);
    const svg = element("svg", picture, { viewBox: `0 0 ${columns} ${rows}`, role: "group", "aria-label": "image patches" });
    element("image", svg, { href: model.get("image"), width: columns, height: rows, preserveAspectRatio: "none", class: "photo" });
    const patches = [];
    for (let k = 0; k < rows * columns; k++) {
      const patch = element("rect", svg, {
        x: k % columns, y: Math.floor(k / columns), width: 1, height: 1, class: "patch",
        role: "button", tabindex: k === 0 ? 0 : -1, "data-player": k,
        "data-lm-suppress-shortcuts": true, // Jupyter's (Enter, arrows) would take the keys before a patch gets them
      });
      patch.addEventListener("click", () => click(k));
      patch.addEventListener("mouseenter", () => hover(k));
      patch.addEventListener("mouseleave", () => hover(-1));
      patch.addEventListener("focus", () => hover(k));
      patch.addEventListener("blur", () => hover(-1));
      patch.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
        if (event.key === "Enter" || event.key === " ") click(k);
        else if (step !== undefined && patches[k + step]) patches[k + step].focus();
        else return;
        event.preventDefault();
      });
      patches.push(patch);
    }
    const frame = element("g", svg);
    const chips = document.createElement("div");
    chips.className = "chips";
    root.append(chips);
    const buttons = model.get("tokens").map((token, t) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.className = "chip";
      chip.dataset.player = count() + t;
      chip.append(token, document.createElement("small"));
      chip.addEventListener("click", () => click(count() + t));
      chip.addEventListener("mouseenter", () => hover(count() + t));
      chip.addEventListener("mouseleave", () => hover(-1));
      chips.append(chip);
      return chip;
    });
    const told = document.createElement("div");
    told.className = "told";
    told.setAttribute("role", "status");
    const legend = document.createElement("div");
    legend.className = "legend";
    root.append(told, legend);
    const edges = element("svg", root, { class: "edges", "aria-hidden": "true" });
    parts = { patches, frame, buttons, told, legend, edges };
    paint();
  }

  function paint() {
    if (!parts) return;
    const masking = model.get("mode") === "mask";
    const present = model.get("present");
    const values = floats(model.get("values"));
    const all = floats(model.get("interactions"));
    const n = values.length;
    const selected = model.get("selected");
    const condition = selected >= 0 ? selected : hovered;
    const conditioned = !masking && condition >= 0 && all.length > 0;
    const row = (array) => array.slice(condition * n, (condition + 1) * n);
    const shown = conditioned ? row(all) : values;
    const errors = conditioned ? row(floats(model.get("pair_errors"))) : floats(model.get("errors"));
    const notes = new Map(model.get("notes"));
    root.classList.toggle("explain", !masking);
    root.classList.toggle("still", masking && !model.get("live"));
    const n_image = count();
    const most = (array) => array.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
    const fixed = model.get("scale");
    const joint = fixed > 0 ? fixed : most(shown);
    const apart = model.get("scaling") === "separate" && !(fixed > 0);
    const scales = apart ? [most(shown.slice(0, n_image)), most(shown.slice(n_image))] : [joint, joint];
    const strongest = new Set([...shown.keys()].slice(0, n_image).sort((a, b) => Math.abs(shown[b]) - Math.abs(shown[a])).slice(0, 6));
    const written = [];
    parts.frame.replaceChildren();
    const columns = model.get("grid")[1];
    parts.patches.forEach((patch, k) => {
      const value = shown[k];
      if (masking) {
        patch.setAttribute("fill", present[k] ? "transparent" : "rgb(128,128,128)");
        patch.setAttribute("fill-opacity", present[k] ? 0 : 1);
        patch.setAttribute("aria-pressed", present[k]);
        patch.setAttribute("aria-label", label(k));
        if (notes.has(k)) written.push([k, notes.get(k)]);
        return;
      }
      // Hue says the sign, opacity the size, over a pale picture: as in the static pictures.
      patch.setAttribute("fill", css(value < 0 ? ENDS[0] : ENDS[2]));
      patch.setAttribute("fill-opacity", 0.82 * Math.min(1, Math.abs(value) / scales[0]));
      patch.setAttribute("aria-label", `${label(k)} ${signed(value)}`);
      const certain = !errors.length || Math.abs(value) > CERTAIN * errors[k];
      if (strongest.has(k) && certain && Math.abs(value) > 0.12 * scales[0]) written.push([k, signed(value)]);
    });
    if (!masking && condition >= 0 && condition < n_image) {
      element("rect", parts.frame, { x: condition % columns, y: Math.floor(condition / columns), width: 1, height: 1, class: "chosen" });
    }
    parts.buttons.forEach((chip, t) => {
      const player = n_image + t;
      const rgb = colour(masking ? 0 : shown[player], scales[1]);
      chip.style.background = css(rgb);
      chip.style.color = ink(rgb);
      chip.classList.toggle("absent", masking && !present[player]);
      chip.classList.toggle("chosen-chip", !masking && condition === player);
      chip.setAttribute("aria-pressed", masking ? present[player] : condition === player);
      const note = masking ? notes.get(player) || "" : signed(shown[player]);
      chip.querySelector("small").textContent = condition === player && !masking ? "" : note;
    });
    parts.told.textContent = masking ? (model.get("live") ? model.get("words") : "") : tell(shown, errors, condition);
    parts.legend.replaceChildren();
    if (!masking) {
      const bar = document.createElement("span");
      bar.className = "bar";
      parts.legend.append(`−${scales[0].toFixed(2)}`, bar, `+${scales[0].toFixed(2)} logits`);
    }
    root.dataset.condition = condition;
    root.dataset.shown = Array.from(shown.slice(0, 3), (value) => value.toFixed(4)).join(" ");
    lay(masking || condition >= 0 ? [] : edges(all, n, n_image), written);
  }

  // What the pointer is on, in words, with its standard error.
  function tell(shown, errors, condition) {
    const number = (player) => signed(shown[player]) + (errors.length ? ` ± ${errors[player].toFixed(2)}` : "") + " logits";
    if (condition < 0) return "hover over or click a patch or a word";
    if (model.get("selected") < 0) {
      const own = floats(model.get("values"))[condition], bars = floats(model.get("errors"));
      const bar = bars.length ? ` ± ${bars[condition].toFixed(2)}` : "";
      return `${label(condition)}: ${signed(own)}${bar} logits; shown is what goes with it`;
    }
    if (hovered < 0 || hovered === condition) return `what goes with ${label(condition)}; click it again to let go`;
    return `${label(condition)} with ${label(hovered)}: ${number(hovered)}`;
  }

  function edges(all, n, n_image) {
    const pairs = [];
    for (let i = 0; i < n_image; i++) for (let t = n_image; t < n; t++) pairs.push([Math.abs(all[i * n + t]), i, t, all[i * n + t]]);
    return pairs.sort((a, b) => b[0] - a[0]).slice(0, model.get("edges"));
  }

  // Over the picture: edges, the strongest on top, and then numbers, which must stay readable.
  function lay(pairs, written) {
    parts.edges.replaceChildren();
    const at = root.getBoundingClientRect();
    if (!at.width) return;
    const most = pairs.length ? pairs[0][0] || 1 : 1;
    for (const [size, i, t, value] of pairs.reverse()) {
      const a = parts.patches[i].getBoundingClientRect();
      const b = parts.buttons[t - count()].getBoundingClientRect();
      const from = [a.x + a.width / 2 - at.x, a.y + a.height / 2 - at.y];
      const to = [b.x + b.width / 2 - at.x, b.y - at.y];
      const middle = (from[1] + to[1]) / 2, width = 1.2 + 2.8 * (size / most), stroke = css(colour(value, Math.abs(value)));
      const d = `M${from} C${from[0]},${middle} ${to[0]},${middle} ${to}`;
      element("path", parts.edges, { d, class: "halo", "stroke-width": width + 2 });
      element("path", parts.edges, { d, fill: "none", stroke, "stroke-width": width, "stroke-dasharray": value < 0 ? "6 4" : "none" });
      element("circle", parts.edges, { cx: from[0], cy: from[1], r: 2.5 + width / 2, fill: stroke, stroke: "#fff", "stroke-width": 1.5 });
    }
    for (const [player, text] of written) {
      const box = parts.patches[player].getBoundingClientRect();
      const size = Math.max(9, Math.min(13, box.width / 4));
      element("text", parts.edges, { x: box.x - at.x + 3, y: box.y - at.y + size + 1, "font-size": size, class: "number" }).textContent = text;
    }
  }

  for (const name of ["image", "tokens", "grid"]) model.on(`change:${name}`, build);
  for (const name of ["values", "errors", "interactions", "pair_errors", "notes", "words", "present", "selected", "mode", "scale", "scaling", "edges"]) {
    model.on(`change:${name}`, paint);
  }
  build();
  const watcher = new ResizeObserver(paint);
  watcher.observe(root);
  return () => watcher.disconnect();
}

export default { render };
