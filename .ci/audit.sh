# The part "audit" of .ci/run; test/integration/dependency-audit.test.ts runs it against a registry of its own.

# Known holes in what users install; what only builds and tests use is left out.
audit_dependencies() {
  say "" "== audit: npm audit --omit=dev --audit-level=high"
  local begin=$SECONDS status=0
  if ! twice ask_audit; then
    skip audit "the registry did not answer npm audit: $(grep -m 1 -E 'npm (warn|error)' "$work/audit.err")"
    return
  fi
  timeout 120 npm audit --omit=dev --audit-level=high || status=$?
  note audit "$status" $((SECONDS - begin))
}

# Fails only where there is no report: holes are a report too.
ask_audit() {
  timeout 120 npm audit --omit=dev --json >"$work/audit.json" 2>"$work/audit.err"
  grep -q '"auditReportVersion"' "$work/audit.json"
}
