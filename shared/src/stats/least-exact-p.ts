/** Above this a p-value has all its digits, and its logarithm is taken of itself instead of being worked out anew. */
export const LEAST_EXACT_P = 1e-290;
