export { strataDesign, type StrataDesign, type StrataModel } from './strata-design.js';
export { fitStrata, type StrataArms, type StrataFitOptions, type StratumMeasures } from './strata-glm.js';
