import type { JobPlanner } from '../../domain/index.js';
import { requireAllowed, type AllowedLocations } from './allowed-locations.js';

/** The same planner for jobs that stay within the allowed locations, those of an earlier life of the coordinator included. */
export function guardPlanner(planner: JobPlanner, allowed: AllowedLocations): JobPlanner {
  return {
    prepare: async (jobId, spec) => {
      await requireAllowed(spec.parameters, allowed);
      return planner.prepare(jobId, spec);
    },
    restore: async (jobId, prepared) => {
      await requireAllowed(prepared.params, allowed);
      return planner.restore(jobId, prepared);
    },
    planStage: (...args) => planner.planStage(...args),
    splitTask: (...args) => planner.splitTask(...args),
    auditScratch: (...args) => planner.auditScratch(...args),
    reduce: (...args) => planner.reduce(...args),
    outputCommitted: (...args) => planner.outputCommitted(...args),
    results: (...args) => planner.results(...args),
    conclude: (...args) => planner.conclude(...args),
    close: () => planner.close(),
  };
}
