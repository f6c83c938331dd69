// Image and caption of a pair: patches over the picture, words as buttons, lines between them.
//
// In this order: numbers and colours; what is shown, worked out from the traits alone; the elements of the page; drawing
// what is shown into them; answers to pointer and keyboard. Conditioning on hover needs no kernel: all interactions are
// here.

const SVG = "http://www.w3.org/2000/svg";
const NUMBERED = 6; // so many patches carry their number,
const WORTH_A_NUMBER = 0.12; // if it is more than this share of the scale
const OPACITY = 0.82; // of a patch in full colour
const APART = 3; // words so many times as strong as patches get a scale of their own, if `scaling` is "auto"
const PLUG = 10; // between the ends of lines
const DOT = 0.68; // where in its patch a line starts, from the top: below the number
const RULER_STEP = 14; // so close to each other may row and column numbers stand

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

// Two digits that matter, of scores that are told relative to the largest; as `fixlip.pictures.drawing.tell` does.
const precise = (value) => (Math.abs(value) >= 0.095 ? unsigned(value) : String(Number(Math.abs(value).toPrecision(2))));

export function tell(value, relative) {
  return relative && value ? (value < 0 ? "−" : "+") + precise(value) : signed(value);
}

function withError(value, error, { relative, unit }) {
  const width = error === undefined ? "" : ` ± ${relative ? precise(error) : unsigned(error)}`;
  return `${tell(value, relative)}${width} ${unit}`;
}

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
    rows,
    columns,
    rulers: get("rulers") && !get("regions").length,
    points: get("points"),
    place: get("place"),
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
    triples: numbersOf(view, "triples"),
    tripleErrors: numbersOf(view, "triple_errors"),
    ofTriples: get("of_triples"),
    selected: get("selected"),
    second: get("second"),
    hovered: view.hovered,
    scales: get("scales"),
    quantity: get("quantity"),
    unit: get("unit"),
    relative: get("relative"),
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
  const both = bothKept(state);
  const at = both ? rowOfPair(state, both) : condition;
  const row = (array) => array.subarray(at * values.length, (at + 1) * values.length);
  const conditioned = both !== null || (condition >= 0 && interactions.length > 0);
  const shown = conditioned ? row(both ? state.triples : interactions) : values;
  const errors = conditioned ? row(both ? state.tripleErrors : state.pairErrors) : state.errors;
  const scales = scalesOf(shown, state);
  return {
    condition,
    conditioned,
    both,
    values: shown,
    scales,
    numbers: masking ? notesOnPatches(state) : numbersOnPatches(shown, errors, scales.patches, state),
    edges: masking || conditioned ? [] : strongestPairs(interactions, values.length, nImage, state.edges),
    told: masking ? (state.live ? state.words : "") : both ? toldOfBoth(state, both, shown, errors) : told(state, condition, conditioned, shown, errors),
  };
}

// Two words that are kept at once, which only triples allow.
function bothKept({ masking, selected, second, triples, nImage }) {
  return !masking && triples?.length && selected >= nImage && second >= nImage ? [selected, second] : null;
}

// The row of two words among all pairs of words, in reading order.
function rowOfPair({ values, nImage }, both) {
  const [i, j] = both.map((player) => player - nImage).sort((a, b) => a - b);
  return (i * (2 * (values.length - nImage) - i - 1)) / 2 + j - i - 1;
}

// What is kept after a click on a player: one, or two words where there are triples.
export function kept(selected, second, player, nImage, haveTriples) {
  const joins = haveTriples && player >= nImage && selected >= nImage;
  if (!joins) return [selected === player ? -1 : player, -1];
  if (player === selected) return [second, -1];
  return [selected, player === second ? -1 : player];
}

const largest = (array) => array.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

// The value of full colour among patches and among words; the same rule as `fixlip.pictures.layout.scales_of`.
export function scalesOf(shown, { scales, scaling, nImage }) {
  if (scales.length) return { patches: scales[0], words: scales[1] };
  const patches = largest(shown.subarray(0, nImage)), words = largest(shown.subarray(nImage));
  const joint = scaling === "joint" || (scaling === "auto" && !(words > APART * patches && patches > 0));
  const both = Math.max(patches, words) || 1;
  return joint ? { patches: both, words: both } : { patches: patches || 1, words: words || 1 };
}

const notesOnPatches = ({ notes, nImage }) => [...notes].filter(([player]) => player < nImage);

// The strongest patches, if they stand out and are told from zero.
function numbersOnPatches(shown, errors, scale, { nImage, interval, relative }) {
  const size = (k) => Math.abs(shown[k]);
  return [...shown.keys()]
    .slice(0, nImage)
    .sort((a, b) => size(b) - size(a))
    .slice(0, NUMBERED)
    .filter((k) => size(k) > WORTH_A_NUMBER * scale && (!errors.length || size(k) > interval * errors[k]))
    .map((k) => [k, tell(shown[k], relative)]);
}

// The strongest interactions between patches and words.
function strongestPairs(interactions, n, nImage, count) {
  const pairs = [];
  for (let patch = 0; patch < nImage && interactions.length && count; patch++) {
    for (let word = nImage; word < n; word++) pairs.push({ patch, word, value: interactions[patch * n + word] });
  }
  return pairs.filter((pair) => pair.value !== 0).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, count);
}

// What the pointer is on, in words, with its standard error.
function told(state, condition, conditioned, shown, errors) {
  const { labels, selected, hovered, values, errors: own, quantity } = state;
  if (condition < 0) return `hover over or click a ${state.place} or a word`;
  const name = labels[condition], of = quantity ? ` (${quantity})` : "";
  if (!conditioned) return `${name}: ${withError(values[condition], own[condition], state)}${of}`;
  if (selected < 0) return `${name}: ${withError(values[condition], own[condition], state)}${of}; shown is what goes with it`;
  const more = state.triples?.length && condition >= state.nImage ? "click another word for both, or " : "click ";
  if (hovered < 0 || hovered === condition) return `what goes with ${name}; ${more}it again to let go`;
  return `${name} with ${labels[hovered]}: ${withError(shown[hovered], errors[hovered], state)}`;
}

function toldOfBoth({ labels, hovered, ...state }, both, shown, errors) {
  const names = both.map((player) => labels[player]).join(" and ");
  if (hovered < 0 || both.includes(hovered)) return `what makes ${names} go together; click one again to let go of it`;
  return `${names} with ${labels[hovered]}: ${withError(shown[hovered], errors[hovered], state)}`;
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
  const { labels, nImage, rows, columns, rulers } = stateOf(view);
  view.root.classList.toggle("ruled", rulers);
  const regions = view.model.get("regions");
  const picture = div(view.root, regions.length ? "picture regions" : "picture");
  const [height, width] = regions.length ? view.model.get("shape") : [rows, columns];
  const name = `image ${regions.length ? "regions" : "patches"}`;
  const svg = element("svg", picture, { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": name });
  const photo = { href: view.model.get("image"), width, height, preserveAspectRatio: "none", class: "photo" };
  element("image", svg, photo);
  if (regions.length) greyOut(svg, regions, width, height);
  const patches = Array.from({ length: nImage }, (_, k) => buildPatch(view, svg, k, columns, regions));
  const frame = element("g", svg);
  const line = div(view.root, "chips");
  const chips = labels.slice(nImage).map((label, k) => buildChip(view, line, nImage + k, label));
  const told = div(view.root, "told", { role: "status" });
  const legend = div(view.root, "legend");
  const overlay = element("svg", view.root, { class: "edges", "aria-hidden": "true" });
  view.parts = { patches, frame, chips, line, told, legend, overlay };
  paint(view);
}

// What is in no region is always removed: the whole picture with holes where regions are.
function greyOut(svg, regions, width, height) {
  element("path", svg, { d: `M0,0H${width}V${height}H0Z${regions.join("")}`, class: "nobody", "fill-rule": "evenodd" });
}

const shapeOf = (player, columns, regions) =>
  regions.length
    ? ["path", { d: regions[player], "fill-rule": "evenodd" }]
    : ["rect", { x: player % columns, y: Math.floor(player / columns), width: 1, height: 1 }];

function buildPatch(view, svg, player, columns, regions) {
  const [kind, shape] = shapeOf(player, columns, regions);
  const patch = element(kind, svg, {
    ...shape, class: "patch",
    role: "button", tabindex: player === 0 ? 0 : -1, "data-player": player,
    "data-lm-suppress-shortcuts": true, // Jupyter's (Enter, arrows) would take the keys before a patch gets them
  });
  patch.addEventListener("click", () => click(view, player));
  patch.addEventListener("keydown", (event) => press(view, player, columns, event));
  element("title", patch).textContent = `${view.model.get("labels")[player]}${placeOf(view, player)}`;
  for (const name of ["mouseenter", "focus"]) patch.addEventListener(name, () => hover(view, player));
  for (const name of ["mouseleave", "blur"]) patch.addEventListener(name, () => hover(view, -1));
  return patch;
}

// Where a patch is, as the rulers count.
function placeOf({ model }, player) {
  if (!model.get("rulers") || model.get("regions").length) return "";
  const columns = model.get("grid")[1];
  return `: row ${Math.floor(player / columns) + 1}, column ${(player % columns) + 1}`;
}

function buildChip(view, line, player, label) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = "chip";
  chip.dataset.player = player;
  const word = Object.assign(document.createElement("span"), { textContent: label });
  chip.append(word, document.createElement("small"));
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
  frameChosen(parts.frame, state, shown, view.model.get("regions"));
  parts.told.textContent = shown.told;
  drawLegend(parts.legend, state, shown);
  // Whether lines are shown or a player has the pointer on it: words must not move.
  parts.line.classList.toggle("lined", !state.masking && state.edges > 0 && state.interactions.some((one) => one !== 0));
  drawOverlay(view, state, shown);
  root.dataset.condition = shown.both ? shown.both.join(" ") : shown.condition;
  root.dataset.shown = Array.from(shown.values.slice(0, 3), (value) => value.toFixed(4)).join(" ");
}

function maskPatch(patch, player, { labels, present }) {
  patch.setAttribute("fill", present[player] ? "transparent" : "rgb(128,128,128)");
  patch.setAttribute("fill-opacity", present[player] ? 0 : 1);
  patch.setAttribute("aria-pressed", present[player]);
  patch.setAttribute("aria-label", labels[player]);
}

// Hue says the sign, opacity the size, over a pale picture: as in the static pictures.
function tintPatch(patch, player, { labels, colours, relative }, { values, scales }) {
  const value = values[player];
  patch.setAttribute("fill", css(value < 0 ? colours.negative : colours.positive));
  patch.setAttribute("fill-opacity", OPACITY * Math.min(1, Math.abs(value) / scales.patches));
  patch.setAttribute("aria-label", `${labels[player]} ${tell(value, relative)}`);
}

function maskChip(chip, player, { present, notes, colours }) {
  paintChip(chip, colours.neutral, notes.get(player) || "", present[player]);
  chip.classList.toggle("absent", !present[player]);
}

function tintChip(chip, player, { colours, relative }, { values, scales, condition, conditioned, both }) {
  const chosen = both ? both.includes(player) : conditioned && player === condition;
  paintChip(chip, colourOf(values[player], scales.words, colours), chosen ? "" : tell(values[player], relative), chosen);
  chip.classList.toggle("chosen-chip", chosen);
}

function paintChip(chip, rgb, note, pressed) {
  chip.style.background = css(rgb);
  chip.style.color = inkOn(rgb);
  chip.setAttribute("aria-pressed", pressed);
  chip.querySelector("small").textContent = note;
}

function frameChosen(frame, { columns, nImage }, { condition }, regions) {
  frame.replaceChildren();
  if (condition < 0 || condition >= nImage) return;
  const [kind, shape] = shapeOf(condition, columns, regions);
  element(kind, frame, { ...shape, class: "chosen" });
}

function drawLegend(legend, { masking, colours, quantity, unit, relative, place, labels, ofTriples }, { condition, both, scales: { patches, words } }) {
  legend.replaceChildren();
  if (masking) return;
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.background = `linear-gradient(90deg, ${css(colours.negative)}, ${css(colours.neutral)}, ${css(colours.positive)})`;
  const places = place === "patch" ? "patches" : `${place}s`;
  const rows = patches === words ? [[`${places} and words`, patches]] : [[places, patches], ["words", words]];
  legend.append(bar, unit);
  for (const [name, scale] of rows) {
    const ends = div(legend, "ends");
    for (const end of [tell(-scale, relative), "0", tell(scale, relative)]) ends.append(Object.assign(document.createElement("span"), { textContent: end }));
    legend.append(name);
  }
  const names = both?.map((player) => `\u201c${labels[player]}\u201d`).join(" and ");
  if (both && ofTriples) Object.assign(div(legend, "quantity"), { textContent: ofTriples.replace("{}", () => names) });
  if (quantity && condition < 0) Object.assign(div(legend, "quantity"), { textContent: `shown: ${quantity}` });
}

// Over the picture: rulers, lines, the strongest on top, and then dots and numbers, which must stay readable.
function drawOverlay(view, state, { edges, numbers }) {
  const { root, parts } = view;
  parts.overlay.replaceChildren();
  const at = root.getBoundingClientRect();
  if (!at.width) return;
  const boxOf = (part) => {
    const box = part.getBoundingClientRect();
    return { left: box.left - at.left, right: box.right - at.left, top: box.top - at.top, bottom: box.bottom - at.top };
  };
  const chips = parts.chips.map(boxOf), points = state.points;
  const patches = points.length ? placesOf(points, boxOf(parts.patches[0].ownerSVGElement)) : parts.patches.map(boxOf);
  if (state.rulers && patches.length) drawRulers(parts.overlay, patches, state);
  const most = edges.length ? Math.abs(edges[0].value) || 1 : 1;
  const lines = linesOf(edges.map(({ patch, word }) => [patch, word - state.nImage]), patches, chips, at.width);
  const dots = [];
  for (const [k, { value }] of [...edges.entries()].reverse()) {
    dots.push(...drawEdge(parts.overlay, lines[k], value, Math.abs(value) / most, state.colours));
  }
  for (const dot of dots) element("circle", parts.overlay, dot);
  for (const [player, text] of numbers) {
    drawNumber(parts.overlay, patches[player], points.length ? `${state.labels[player]} ${text}` : text);
  }
}

// Small boxes around the points of regions: lines begin at their lower ends, and numbers are written at their upper ones.
const placesOf = (points, { left, right, top, bottom }) =>
  points.map(([x, y]) => {
    const at = { x: left + x * (right - left), y: top + y * (bottom - top) };
    return { left: at.x - 22, right: at.x + 22, top: at.y - 22, bottom: at.y + 10 };
  });

// A number on a plate of its own: lines of other patches may pass behind it.
function drawNumber(overlay, box, text) {
  const size = Math.max(9, Math.min(13, (box.right - box.left) / 4));
  const plate = element("rect", overlay, { class: "plate", rx: 3 });
  const number = element("text", overlay, { x: box.left + 5, y: box.top + size + 3, "font-size": size, class: "number" });
  number.textContent = text;
  const { x: from, y, width, height } = number.getBBox();
  const x = Math.min(from, overlay.getBoundingClientRect().width - width - 4); // not beyond the picture
  number.setAttribute("x", x);
  for (const [name, value] of Object.entries({ x: x - 3, y, width: width + 6, height })) plate.setAttribute(name, value);
}

// Numbers of the rows on the left and of the columns above: "patch 2,6" is in row 2 and column 6.
function drawRulers(overlay, patches, { rows, columns }) {
  const first = patches[0], w = first.right - first.left, h = first.bottom - first.top;
  const step = (room) => [1, 2, 5, 10].find((one) => one * room >= RULER_STEP) || 20;
  const mark = (x, y, anchor, k) => {
    element("text", overlay, { x, y, "text-anchor": anchor, class: "ruler" }).textContent = k + 1;
  };
  for (let k = 0; k < columns; k += step(w)) mark(first.left + (k + 0.5) * w, first.top - 5, "middle", k);
  for (let k = 0; k < rows; k += step(h)) mark(first.left - 5, first.top + (k + 0.5) * h + 4, "end", k);
}

// Points of the lines between patches and words; from each point to the next a line leaves and arrives upright. A line to
// a word in a lower row passes between the words above it: the nearest gap, of two rather the inner one, and two words share none if they can.
export function linesOf(pairs, patches, chips, width) {
  const middle = ({ left, right }) => (left + right) / 2;
  const rows = [];
  for (const chip of chips) {
    if (rows.length && Math.abs(rows.at(-1)[0].top - chip.top) < 4) rows.at(-1).push(chip);
    else rows.push([chip]);
  }
  const used = new Map(), lanes = new Map();
  for (const word of new Set(pairs.map(([, word]) => word))) {
    const lane = [];
    let x = middle(chips[word]);
    for (const row of rows.slice(0, rows.findIndex((row) => row.includes(chips[word]))).reverse()) {
      const half = row.length > 1 ? (row[1].left - row[0].right) / 2 : 5;
      const gaps = [...row.map((chip) => chip.left - half), row.at(-1).right + half].filter((gap) => gap >= 3 && gap <= width - 3);
      const cost = (gap) => Math.abs(gap - x) + Math.abs(gap - width / 2) / 4 + 90 * (used.get(`${gap} ${row[0].top}`) || 0);
      x = gaps.reduce((best, gap) => (cost(gap) < cost(best) ? gap : best), gaps[0] ?? 3);
      used.set(`${x} ${row[0].top}`, (used.get(`${x} ${row[0].top}`) || 0) + 1);
      lane.unshift([x, row[0].top], [x, row[0].bottom]);
    }
    lanes.set(word, lane);
  }
  const startOf = (patch) => [middle(patches[patch]), patches[patch].top + DOT * (patches[patch].bottom - patches[patch].top)];
  return pairs.map(([patch, word]) => {
    const chip = chips[word], lane = lanes.get(word);
    // Beside the others that end at this word, from left to right as they come; or all through one gap.
    const beside = pairs.filter((pair) => pair[1] === word).map((pair) => pair[0])
      .sort((a, b) => startOf(a)[0] - startOf(b)[0] || a - b);
    const apart = lane.length ? 0 : Math.min(PLUG, (chip.right - chip.left - PLUG) / beside.length);
    const x = middle(chip) + apart * (beside.indexOf(patch) - (beside.length - 1) / 2);
    return [startOf(patch), ...lane, [x, chip.top]];
  });
}

// Draws a line and returns its dots; the lower one is half behind its word, like a plug.
function drawEdge(overlay, points, value, share, colours) {
  const width = 1.2 + 2.8 * share;
  const stroke = css(value < 0 ? colours.negative : colours.positive);
  const d = points.reduce((path, [x, y], k) => {
    if (!k) return `M${x},${y}`;
    const [x0, y0] = points[k - 1], lift = 0.45 * Math.max(30, y - y0);
    return `${path} ${x === x0 ? `L${x},${y}` : `C${x0},${y0 + lift} ${x},${y - lift} ${x},${y}`}`;
  }, "");
  const dash = value < 0 ? "6 4" : "none";
  element("path", overlay, { d, class: "halo", "stroke-width": width + 2 });
  element("path", overlay, { d, fill: "none", stroke, "stroke-width": width, "stroke-dasharray": dash, class: "line" });
  const dot = { r: 2.2 + width / 2, fill: stroke, stroke: "#fff", "stroke-width": 1.5 };
  return [points[0], points.at(-1)].map(([cx, cy]) => ({ cx, cy, ...dot }));
}

// ---- answers to pointer and keyboard

// Take a player away or bring it back, or keep it as what the others are shown with.
function click(view, player) {
  const { model } = view;
  if (model.get("mode") === "mask") {
    if (!model.get("live")) return;
    model.set("present", model.get("present").map((one, k) => (k === player ? !one : one)));
  } else {
    const nImage = stateOf(view).nImage, haveTriples = model.get("triples").byteLength > 0;
    const [selected, second] = kept(model.get("selected"), model.get("second"), player, nImage, haveTriples);
    model.set("selected", selected);
    model.set("second", second);
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

const LAID_OUT_ANEW = ["image", "labels", "grid", "regions", "mode", "rulers"];
const PAINTED_ANEW = [
  "values", "errors", "interactions", "pair_errors", "triples", "triple_errors", "of_triples", "notes", "words", "present", "selected", "second", "live", "scales", "scaling",
  "edges", "interval", "colours", "quantity", "unit", "relative",
];

function render({ model, el }) {
  const view = { model, root: document.createElement("div"), parts: null, hovered: -1, numbers: {} };
  view.root.className = "fixlip";
  el.append(view.root);
  const rebuild = () => build(view), repaint = () => paint(view); // one of each, so that a page that holds changes calls them once
  for (const name of LAID_OUT_ANEW) model.on(`change:${name}`, rebuild);
  for (const name of PAINTED_ANEW) model.on(`change:${name}`, repaint);
  rebuild();
  const watcher = new ResizeObserver(repaint);
  watcher.observe(view.root);
  return () => watcher.disconnect();
}

export default { render };
