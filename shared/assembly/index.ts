export * from "./heap";
export * from "./compact-rows";
export { accumulateMeasures } from "./accumulate-measures";
export { log1pArray } from "./vector-math";
export { fitIntercepts } from "./fit-intercepts";
export { likelihoodRatios } from "./likelihood-ratio";
export { addProfileGrid, addIntegers } from "./profile-grid";
