import { describe, expect, it } from 'vitest';
import { chooseGenes, type GenePlaces } from './choose-genes.js';

/** 5000 genes without effect, spread evenly, and one that stands alone with little evidence. */
function places(): GenePlaces {
  const genes = Array.from({ length: 5000 }, (_, gene) => gene);
  const log10Pvalue = genes.map((gene) => -((gene * 7919) % 5000) / 1000);
  const log2FoldChange = genes.map((gene) => ((gene * 104_729) % 1000) / 1000 - 0.5);
  const meanExpression = genes.map((gene) => 1 + ((gene * 31) % 100));
  log10Pvalue[4321] = -0.2;
  log2FoldChange[4321] = 9;
  log10Pvalue[17] = Number.NaN;
  return { log10Pvalue, log2FoldChange, meanExpression };
}

describe('the genes that stand for all', () => {
  it('are as many as asked for, by ascending p-value, tested ones only', () => {
    const { log10Pvalue } = places();
    const chosen = chooseGenes(places(), 1000);
    expect(chosen).toHaveLength(1000);
    expect(new Set(chosen).size).toBe(1000);
    expect(chosen).not.toContain(17);
    const sorted = chosen.map((gene) => log10Pvalue[gene]);
    expect(sorted).toEqual([...sorted].sort((left, right) => left - right));
  });

  it('hold the strongest half and the one that stands alone', () => {
    const chosen = chooseGenes(places(), 1000);
    expect(chosen.slice(0, 500)).toEqual(chooseGenes(places(), 5000).slice(0, 500));
    expect(chosen).toContain(4321);
  });

  it('keep their spread beside genes whose arm is empty', () => {
    const all = places();
    const log2FoldChange = Array.from(all.log2FoldChange, (change, gene) => (gene % 20 === 0 ? -26 : change));
    const alone = chooseGenes({ ...all, log2FoldChange }, 1000).slice(500);
    const cells = new Set(alone.map((gene) => Math.floor(log2FoldChange[gene] * 10)));
    // Tenths from −0.5 to 0.5, the empty arm, and the one that stands alone.
    expect(cells.size).toBe(12);
    expect(alone.filter((gene) => log2FoldChange[gene] === -26).length).toBeLessThan(100);
  });

  it('are all of few, also without means and when all are alike', () => {
    const alike = { log10Pvalue: [-1, -1, -1], log2FoldChange: [0, 0, 0], meanExpression: null };
    expect(chooseGenes(alike, 3)).toEqual([0, 1, 2]);
    expect(chooseGenes(alike, 2)).toEqual([0, 1]);
  });
});
