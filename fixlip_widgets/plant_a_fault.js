// A fault planted by hand without a kernel: the nearest of the stored places, and what the models say of it.
import { rescale } from "./compare.js";
import { unpacked } from "./numbers.js";

// The stored frame next to what was asked for: nothing, a spot, or the tints of objects.
export function nearest(frames, asked) {
  if (!asked.length || typeof asked[0] === "string") return frames.find(({ spot }) => spot.join() === asked.join()) ?? frames[0];
  const away = ({ spot: [x, y] }) => (x - asked[0]) ** 2 + (y - asked[1]) ** 2;
  return frames.filter(({ spot }) => spot.length).reduce((best, one) => (away(one) < away(best) ? one : best));
}

export default async function live({ parts, facts, packed, hold }) {
  const numbers = await unpacked(packed), { scene, readout } = parts;
  const maps = facts.maps.map((names) => names.map((name) => parts[name])), all = maps.flat();
  const faultOf = () => facts.faults[parts.fault?.get("value") ?? facts.first];
  const painted = () => faultOf().scene.boxes.length > 0;
  const before = () => faultOf().frames.at(-1); // with nothing planted
  let moving = false;

  // While views follow each other, what they say of it is not heard.
  function quietly(change) {
    if (moving) return;
    moving = true;
    try {
      hold(change);
    } finally {
      moving = false;
    }
  }

  function show(frame) {
    const start = before();
    scene.set("image", frame.image);
    scene.set("words", frame.words);
    scene.set("at", painted() ? [] : frame.spot);
    scene.set("tints", painted() ? frame.spot : []);
    readout.set("value", frame.told);
    maps.forEach((pair, m) => pair.forEach((view, side) => {
      const { labels, arrays } = frame.maps[m][side];
      view.set("image", (side ? frame : start).image);
      if (labels.join("\n") !== view.get("labels").join("\n")) view.set("labels", labels);
      for (const [name, where] of Object.entries(arrays)) view.set(name, new DataView(numbers(where).slice().buffer));
    }));
    rescale(maps);
  }

  function keep(view, selected, second) {
    view.set("selected", selected);
    view.set("second", second);
  }

  // Words by their places in the caption.
  function keepWords(places) {
    for (const view of all) {
      const [rows, columns] = view.get("grid"), players = places.map((place) => rows * columns + place);
      keep(view, players[0] ?? -1, players[1] ?? -1);
    }
    rescale(maps);
  }

  // What is kept in one map is kept in all; a patch only in those of its model.
  function follow(origin) {
    const [rows, columns] = origin.get("grid"), n = rows * columns;
    const chosen = [origin.get("selected"), origin.get("second")].filter((player) => player >= 0);
    if (chosen.every((player) => player >= n)) return keepWords(chosen.map((player) => player - n));
    for (const pair of maps) for (const view of pair) keep(view, pair.includes(origin) ? chosen[0] : -1, -1);
    rescale(maps);
  }

  function begin() {
    const { scene: traits, kept } = faultOf();
    for (const [name, value] of Object.entries(traits)) scene.set(name, value);
    show(faultOf().frames[0]);
    keepWords(kept);
  }

  scene.on("change:at", () => quietly(() => show(nearest(faultOf().frames, scene.get("at")))));
  scene.on("change:tints", () => quietly(() => show(nearest(faultOf().frames, scene.get("tints")))));
  parts.clear.on("change:value", () => quietly(() => show(before())));
  parts.fault?.on("change:value", () => quietly(begin));
  for (const view of all) for (const name of ["selected", "second"]) view.on(`change:${name}`, () => quietly(() => follow(view)));
  quietly(begin);
}
