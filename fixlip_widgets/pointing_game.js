// The pointing game without a kernel: stored mosaics, explained at any p, and their score.
import { explanationOf, traitsOf } from "./explorer.js";
import { unpacked } from "./numbers.js";
import { escaped, number, readout, table } from "./readouts.js";

const CELL_NAMES = ["top left", "top right", "bottom left", "bottom right"];

// Pointing game recognition: values in a word's own cell should be positive, and negative in the other ones.
export function scoreOf({ n, pairs }, tokens, cells) {
  let correct = 0, wrong = 0;
  const byCell = tokens.map((group, own) =>
    cells.map((inside, cell) => {
      let sum = 0;
      for (const token of group) {
        inside.forEach((is, patch) => {
          if (!is) return;
          const value = pairs[patch * n + token];
          sum += value;
          if (value > 0 === (cell === own)) correct += Math.abs(value);
          else wrong += Math.abs(value);
        });
      }
      return sum;
    }));
  return { correct, wrong, pgr: correct / (correct + wrong), byCell };
}

function judged(value, own) {
  const told = `${number(value)} ${value > 0 === own ? "✓" : "✗"}`;
  return own ? `<b>${told}</b>` : told;
}

export function scoreTable({ correct, wrong, pgr, byCell }, words) {
  const rows = words.map((word, k) => [escaped(word), ...byCell[k].map((sum, cell) => judged(sum, k === cell))]);
  return readout(
    `pointing game recognition <b>${pgr.toFixed(2)}</b>: right mass ${correct.toFixed(1)}, wrong ${wrong.toFixed(1)}`,
    table(["word", ...CELL_NAMES], rows),
    "<span class=\"quiet\">sums over a cell's patches, logits; ✓ where positive in the own cell, or negative in another</span>",
  );
}

export default async function live({ parts, facts, packed, hold }) {
  const numbers = await unpacked(packed), { view, word } = parts;
  const mosaicOf = () => facts.mosaics[parts.mosaic.get("value")];
  const gameOf = (mosaic) => mosaic.games[parts.objects.get("value") - 1];

  function setUp() {
    const mosaic = mosaicOf(), { labels } = gameOf(mosaic), nImage = mosaic.cells[0].length;
    hold(() => {
      const traits = { mode: "explain", rulers: true, regions: [], notes: [], words: "", edges: 0, grid: mosaic.grid };
      for (const [name, value] of Object.entries({ ...traits, image: mosaic.image, labels, selected: -1 })) view.set(name, value);
      word.set("options", [["all", -1], ...labels.slice(nImage).map((label, k) => [label, nImage + k])]);
      word.set("value", -1);
      explain();
    });
  }

  function explain() {
    const mosaic = mosaicOf(), { labels, words, tokens, stored } = gameOf(mosaic);
    const explanation = explanationOf(stored, numbers, parts.p.get("value"), 2, facts.range, labels.length);
    hold(() => {
      for (const [name, value] of Object.entries(traitsOf(explanation, false, stored.largest))) view.set(name, value);
    });
    parts.table.set("value", scoreTable(scoreOf(explanation, tokens, mosaic.cells), words));
  }

  for (const name of ["mosaic", "objects"]) parts[name].on("change:value", setUp);
  parts.p.on("change:value", explain);
  word.on("change:value", () => view.set("selected", word.get("value")));
  view.on("change:selected", () => word.set("value", view.get("selected") < mosaicOf().cells[0].length ? -1 : view.get("selected")));
  setUp();
}
