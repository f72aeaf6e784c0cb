export * from "./heap";
export * from "./compact-rows";
