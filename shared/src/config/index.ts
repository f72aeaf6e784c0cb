export * from './de-parameters.js';
