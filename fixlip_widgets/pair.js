// Image and caption of a pair: patches over the picture, words as buttons, lines between them.
//
// In this order: numbers and colours; what is shown, worked out from the traits alone; the elements of the page; drawing
// what is shown into them; answers to pointer and keyboard. Conditioning on hover needs no kernel: all interactions are
// here.

const SVG = "http://www.w3.org/2000/svg";
const NUMBERED = 6; // so many patches carry their number,
const WORTH_A_NUMBER = 0.12; // if it is more than this share of the scale
const OPACITY = 0.82; // of a patch in full colour

// ---- numbers and colours

// In as many digits as matter; the same rule as `fixlip.pictures.drawing.signed`.
function unsigned(value) {
  const size = Math.abs(value);
  const text = size.toFixed(size >= 10 ? 1 : size >= 0.095 ? 2 : 3);
  return Number(text) === 0 ? "0" : text;
}

export function signed(value) {
  const text = unsigned(value);
  return text === "0" ? text : (value < 0 ? "−" : "+") + text;
}

const withError = (value, error) => `${signed(value)}${error === undefined ? "" : ` ± ${unsigned(error)}`} logits`;

const css = (rgb) => `rgb(${rgb.join(",")})`;
const inkOn = (rgb) => (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2] > 140 ? "#111" : "#fff");

// A value on a scale, from the colour of negative over neutral to that of positive ones.
function colourOf(value, scale, colours) {
  const share = Math.max(-1, Math.min(1, scale > 0 ? value / scale : 0));
  const end = share < 0 ? colours.negative : colours.positive;
  return colours.neutral.map((middle, k) => Math.round(middle + Math.abs(share) * (end[k] - middle)));
}

// ---- what is shown

// The traits, their bytes as numbers, and where the pointer is.
function stateOf(view) {
  const get = (name) => view.model.get(name);
  const [rows, columns] = get("grid");
  return {
    nImage: rows * columns,
    columns,
    labels: get("labels"),
    masking: get("mode") === "mask",
    live: get("live"),
    words: get("words"),
    present: get("present"),
    notes: new Map(get("notes")),
    values: numbersOf(view, "values"),
    errors: numbersOf(view, "errors"),
    interactions: numbersOf(view, "interactions"),
    pairErrors: numbersOf(view, "pair_errors"),
    selected: get("selected"),
    hovered: view.hovered,
    scale: get("scale"),
    scaling: get("scaling"),
    edges: get("edges"),
    interval: get("interval"),
    colours: get("colours"),
  };
}

// A trait of bytes as an array, made once per change: hovering must not copy all interactions.
function numbersOf(view, name) {
  const bytes = view.model.get(name);
  const known = view.numbers[name];
  if (known?.bytes === bytes) return known.array;
  const array = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  view.numbers[name] = { bytes, array };
  return array;
}

// What a state looks like: every player's value, the numbers written on patches, the lines, and the words below.
export function whatIsShown(state) {
  const { masking, nImage, interactions, values } = state;
  const condition = masking ? -1 : state.selected >= 0 ? state.selected : state.hovered;
  const row = (array) => array.subarray(condition * values.length, (condition + 1) * values.length);
  const conditioned = condition >= 0 && interactions.length > 0;
  const shown = conditioned ? row(interactions) : values;
  const errors = conditioned ? row(state.pairErrors) : state.errors;
  const scales = scalesOf(shown, state);
  return {
    condition,
    values: shown,
    scales,
    numbers: masking ? notesOnPatches(state) : numbersOnPatches(shown, errors, scales.patches, state),
    edges: masking || condition >= 0 ? [] : strongestPairs(interactions, values.length, nImage, state.edges),
    told: masking ? (state.live ? state.words : "") : told(state, condition, shown, errors),
  };
}

const largest = (array) => array.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;

// The value of full colour among patches and among words.
function scalesOf(shown, { scale, scaling, nImage }) {
  if (scale > 0) return { patches: scale, words: scale };
  if (scaling === "separate") return { patches: largest(shown.subarray(0, nImage)), words: largest(shown.subarray(nImage)) };
  return { patches: largest(shown), words: largest(shown) };
}

const notesOnPatches = ({ notes, nImage }) => [...notes].filter(([player]) => player < nImage);

// The strongest patches, if they stand out and are told from zero.
function numbersOnPatches(shown, errors, scale, { nImage, interval }) {
  const size = (k) => Math.abs(shown[k]);
  return [...shown.keys()]
    .slice(0, nImage)
    .sort((a, b) => size(b) - size(a))
    .slice(0, NUMBERED)
    .filter((k) => size(k) > WORTH_A_NUMBER * scale && (!errors.length || size(k) > interval * errors[k]))
    .map((k) => [k, signed(shown[k])]);
}

// The strongest interactions between patches and words.
function strongestPairs(interactions, n, nImage, count) {
  const pairs = [];
  for (let patch = 0; patch < nImage && interactions.length && count; patch++) {
    for (let word = nImage; word < n; word++) pairs.push({ patch, word, value: interactions[patch * n + word] });
  }
  return pairs.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, count);
}

// What the pointer is on, in words, with its standard error.
function told({ labels, selected, hovered, values, errors: own }, condition, shown, errors) {
  if (condition < 0) return "hover over or click a patch or a word";
  const name = labels[condition];
  if (selected < 0) return `${name}: ${withError(values[condition], own[condition])}; shown is what goes with it`;
  if (hovered < 0 || hovered === condition) return `what goes with ${name}; click it again to let go`;
  return `${name} with ${labels[hovered]}: ${withError(shown[hovered], errors[hovered])}`;
}

// ---- the elements of the page

function element(name, parent, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function div(parent, name, attributes = {}) {
  const made = document.createElement("div");
  made.className = name;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function build(view) {
  view.root.replaceChildren();
  const { labels, nImage, columns } = stateOf(view);
  const picture = div(view.root, "picture");
  const rows = nImage / columns;
  const svg = element("svg", picture, { viewBox: `0 0 ${columns} ${rows}`, role: "group", "aria-label": "image patches" });
  const photo = { href: view.model.get("image"), width: columns, height: rows, preserveAspectRatio: "none", class: "photo" };
  element("image", svg, photo);
  const patches = Array.from({ length: nImage }, (_, k) => buildPatch(view, svg, k, columns));
  const frame = element("g", svg);
  const line = div(view.root, "chips");
  const chips = labels.slice(nImage).map((label, k) => buildChip(view, line, nImage + k, label));
  const told = div(view.root, "told", { role: "status" });
  const legend = div(view.root, "legend");
  const overlay = element("svg", view.root, { class: "edges", "aria-hidden": "true" });
  view.parts = { patches, frame, chips, told, legend, overlay };
  paint(view);
}

function buildPatch(view, svg, player, columns) {
  const patch = element("rect", svg, {
    x: player % columns, y: Math.floor(player / columns), width: 1, height: 1, class: "patch",
    role: "button", tabindex: player === 0 ? 0 : -1, "data-player": player,
    "data-lm-suppress-shortcuts": true, // Jupyter's (Enter, arrows) would take the keys before a patch gets them
  });
  patch.addEventListener("click", () => click(view, player));
  patch.addEventListener("keydown", (event) => press(view, player, columns, event));
  for (const name of ["mouseenter", "focus"]) patch.addEventListener(name, () => hover(view, player));
  for (const name of ["mouseleave", "blur"]) patch.addEventListener(name, () => hover(view, -1));
  return patch;
}

function buildChip(view, line, player, label) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = "chip";
  chip.dataset.player = player;
  chip.append(label, document.createElement("small"));
  chip.addEventListener("click", () => click(view, player));
  chip.addEventListener("mouseenter", () => hover(view, player));
  chip.addEventListener("mouseleave", () => hover(view, -1));
  line.append(chip);
  return chip;
}

// ---- drawing

function paint(view) {
  if (!view.parts) return;
  const { root, parts } = view;
  const state = stateOf(view), shown = whatIsShown(state);
  root.classList.toggle("explain", !state.masking);
  root.classList.toggle("still", state.masking && !state.live);
  parts.patches.forEach((patch, k) => (state.masking ? maskPatch : tintPatch)(patch, k, state, shown));
  parts.chips.forEach((chip, k) => (state.masking ? maskChip : tintChip)(chip, state.nImage + k, state, shown));
  frameChosen(parts.frame, state, shown);
  parts.told.textContent = shown.told;
  drawLegend(parts.legend, state, shown);
  drawOverlay(view, state, shown);
  root.dataset.condition = shown.condition;
  root.dataset.shown = Array.from(shown.values.slice(0, 3), (value) => value.toFixed(4)).join(" ");
}

function maskPatch(patch, player, { labels, present }) {
  patch.setAttribute("fill", present[player] ? "transparent" : "rgb(128,128,128)");
  patch.setAttribute("fill-opacity", present[player] ? 0 : 1);
  patch.setAttribute("aria-pressed", present[player]);
  patch.setAttribute("aria-label", labels[player]);
}

// Hue says the sign, opacity the size, over a pale picture: as in the static pictures.
function tintPatch(patch, player, { labels, colours }, { values, scales }) {
  const value = values[player];
  patch.setAttribute("fill", css(value < 0 ? colours.negative : colours.positive));
  patch.setAttribute("fill-opacity", OPACITY * Math.min(1, Math.abs(value) / scales.patches));
  patch.setAttribute("aria-label", `${labels[player]} ${signed(value)}`);
}

function maskChip(chip, player, { present, notes, colours }) {
  paintChip(chip, colours.neutral, notes.get(player) || "", present[player]);
  chip.classList.toggle("absent", !present[player]);
}

function tintChip(chip, player, { colours }, { values, scales, condition }) {
  const chosen = player === condition;
  paintChip(chip, colourOf(values[player], scales.words, colours), chosen ? "" : signed(values[player]), chosen);
  chip.classList.toggle("chosen-chip", chosen);
}

function paintChip(chip, rgb, note, pressed) {
  chip.style.background = css(rgb);
  chip.style.color = inkOn(rgb);
  chip.setAttribute("aria-pressed", pressed);
  chip.querySelector("small").textContent = note;
}

function frameChosen(frame, { columns, nImage }, { condition }) {
  frame.replaceChildren();
  if (condition < 0 || condition >= nImage) return;
  const corner = { x: condition % columns, y: Math.floor(condition / columns) };
  element("rect", frame, { ...corner, width: 1, height: 1, class: "chosen" });
}

function drawLegend(legend, { masking, colours }, { scales: { patches, words } }) {
  legend.replaceChildren();
  if (masking) return;
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.background = `linear-gradient(90deg, ${css(colours.negative)}, ${css(colours.neutral)}, ${css(colours.positive)})`;
  if (patches === words) legend.append(signed(-patches), bar, `${signed(patches)} logits`);
  else legend.append(bar, `patches ±${unsigned(patches)}, words ±${unsigned(words)} logits`);
}

// Over the picture: lines, the strongest on top, and then numbers, which must stay readable.
function drawOverlay({ root, parts }, { nImage, colours }, { edges, numbers }) {
  parts.overlay.replaceChildren();
  const at = root.getBoundingClientRect();
  if (!at.width) return;
  const most = edges.length ? Math.abs(edges[0].value) || 1 : 1;
  for (const { patch, word, value } of [...edges].reverse()) {
    const from = parts.patches[patch].getBoundingClientRect(), to = parts.chips[word - nImage].getBoundingClientRect();
    const start = [from.x + from.width / 2 - at.x, from.y + from.height / 2 - at.y];
    const end = [to.x + to.width / 2 - at.x, to.y - at.y];
    drawEdge(parts.overlay, start, end, value, Math.abs(value) / most, colours);
  }
  for (const [player, text] of numbers) {
    const box = parts.patches[player].getBoundingClientRect();
    const size = Math.max(9, Math.min(13, box.width / 4));
    const place = { x: box.x - at.x + 3, y: box.y - at.y + size + 1, "font-size": size, class: "number" };
    element("text", parts.overlay, place).textContent = text;
  }
}

function drawEdge(overlay, start, end, value, share, colours) {
  const middle = (start[1] + end[1]) / 2, width = 1.2 + 2.8 * share;
  const stroke = css(value < 0 ? colours.negative : colours.positive);
  const d = `M${start} C${start[0]},${middle} ${end[0]},${middle} ${end}`;
  const dash = value < 0 ? "6 4" : "none";
  element("path", overlay, { d, class: "halo", "stroke-width": width + 2 });
  element("path", overlay, { d, fill: "none", stroke, "stroke-width": width, "stroke-dasharray": dash });
  const dot = { cx: start[0], cy: start[1], r: 2.5 + width / 2 };
  element("circle", overlay, { ...dot, fill: stroke, stroke: "#fff", "stroke-width": 1.5 });
}

// ---- answers to pointer and keyboard

// Take a player away or bring it back, or keep it as what the others are shown with.
function click(view, player) {
  const { model } = view;
  if (model.get("mode") === "mask") {
    if (!model.get("live")) return;
    model.set("present", model.get("present").map((one, k) => (k === player ? !one : one)));
  } else {
    model.set("selected", model.get("selected") === player ? -1 : player);
  }
  model.save_changes();
  paint(view);
}

function hover(view, player) {
  if (view.model.get("mode") !== "explain") return;
  view.hovered = player;
  paint(view);
}

function press(view, player, columns, event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (event.key === "Enter" || event.key === " ") click(view, player);
  else if (step !== undefined && view.parts.patches[player + step]) view.parts.patches[player + step].focus();
  else return;
  event.preventDefault();
}

const LAID_OUT_ANEW = ["image", "labels", "grid", "mode"];
const PAINTED_ANEW = [
  "values", "errors", "interactions", "pair_errors", "notes", "words", "present", "selected", "live", "scale", "scaling",
  "edges", "interval", "colours",
];

function render({ model, el }) {
  const view = { model, root: document.createElement("div"), parts: null, hovered: -1, numbers: {} };
  view.root.className = "fixlip";
  el.append(view.root);
  for (const name of LAID_OUT_ANEW) model.on(`change:${name}`, () => build(view));
  for (const name of PAINTED_ANEW) model.on(`change:${name}`, () => paint(view));
  build(view);
  const watcher = new ResizeObserver(() => paint(view));
  watcher.observe(view.root);
  return () => watcher.disconnect();
}

export default { render };
