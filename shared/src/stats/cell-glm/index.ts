export { ComparisonCells, type PlacedCounts } from './comparison-cells.js';
export { createComparisonDesign, type ComparisonDesign } from './comparison-design.js';
export { ComparisonDispersion, type GenewiseDispersion } from './comparison-dispersion.js';
export { ArmLogCounts, scaleFactors } from './comparison-size-factors.js';
export { ComparisonTest, type ComparisonTestOptions, type GeneComparison } from './comparison-test.js';
export { cooksCutoff, CooksDistances, type CooksMaximum } from './cooks-distance.js';
export { ArmGlm, compareArms, type ArmFit } from './separable-test.js';
