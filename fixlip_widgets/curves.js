// Curves over the share removed, with a marker that a slider moves.
const SVG = "http://www.w3.org/2000/svg";
const W = 480, H = 300, LEFT = 44, RIGHT = 22, TOP = 12, BOTTOM = 40;

function element(name, parent, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "fixlip-curves";
  el.append(root);

  function draw() {
    root.replaceChildren();
    const curves = model.get("curves");
    const svg = element("svg", root, { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": model.get("words") });
    svg.style.cssText = "width:100%;max-width:480px;height:auto;font:12px var(--jp-ui-font-family, system-ui, sans-serif)";
    const ink = "var(--jp-ui-font-color1, light-dark(#222, #eee))", faint = "var(--jp-border-color2, #999)";
    const ys = curves.flatMap((curve) => curve.y).concat([0, 1]);
    const low = Math.min(...ys), high = Math.max(...ys), span = high - low || 1;
    const X = (x) => LEFT + x * (W - LEFT - RIGHT), Y = (y) => TOP + ((high - y) / span) * (H - TOP - BOTTOM);
    const crowded = Y(0) - Y(1) < 14 ? 5 : 0; // the numbers at the two lines then move apart
    for (const level of [0, 1]) {
      element("line", svg, { x1: X(0), x2: X(1), y1: Y(level), y2: Y(level), stroke: faint, "stroke-dasharray": "3 3" });
      element("text", svg, { x: LEFT - 8, y: Y(level) + 4 + crowded * (1 - 2 * level), "text-anchor": "end", fill: ink }, String(level));
    }
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      element("text", svg, { x: X(share), y: H - BOTTOM + 16, "text-anchor": "middle", fill: ink }, `${100 * share}%`);
    }
    const middle = (TOP + H - BOTTOM) / 2;
    element("text", svg, { x: 12, y: middle, "text-anchor": "middle", fill: ink, transform: `rotate(-90 12 ${middle})` }, "share of the similarity");
    element("text", svg, { x: X(0.5), y: H - 6, "text-anchor": "middle", fill: ink }, "share of the input removed");
    curves.forEach((curve) => {
      const points = curve.y.map((y, i) => `${X(i / (curve.y.length - 1)).toFixed(1)},${Y(y).toFixed(1)}`).join(" ");
      element("polyline", svg, {
        points, fill: "none", stroke: curve.colour, "stroke-width": 2.5, "stroke-dasharray": curve.dash || "none", "data-curve": curve.name,
      });
    });
    const at = model.get("at");
    if (at >= 0 && curves.length) {
      const x = at / (curves[0].y.length - 1);
      element("line", svg, { x1: X(x), x2: X(x), y1: TOP, y2: H - BOTTOM, stroke: ink, "data-marker": at });
      for (const curve of curves.slice(0, 2)) element("circle", svg, { cx: X(x), cy: Y(curve.y[at]), r: 5, fill: curve.colour });
    }
  }

  for (const name of ["curves", "at"]) model.on(`change:${name}`, draw);
  draw();
}

export default { render };
