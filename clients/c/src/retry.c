#include "retry.h"

int64_t retry_pause_ms(const retry_policy *policy, const retry_case *what, uint64_t chance) {
  if (what->attempts >= policy->attempts_max || !what->curable) return -1;
  uint32_t doublings = what->attempts > 1 ? what->attempts - 1 : 0;
  uint64_t ceiling = (uint64_t)policy->pause_ms_first << (doublings < 20 ? doublings : 20);
  if (ceiling > policy->pause_ms_max) ceiling = policy->pause_ms_max;
  uint64_t pause = what->retry_after_ms + (ceiling > 0 ? chance % ceiling : 0);
  return pause < what->left_ms ? (int64_t)pause : -1;
}

uint64_t dial_pause_ms(uint32_t rounds, uint64_t chance) {
  uint64_t ceiling = 10ull << (rounds < 10 ? rounds : 10);
  if (ceiling > 1000) ceiling = 1000;
  return ceiling / 2 + chance % (ceiling / 2 + 1);
}

void budget_earn(retry_budget *budget) {
  if (budget->tenths < budget->tenths_max) budget->tenths++;
}

bool budget_spend(retry_budget *budget) {
  if (budget->tenths < 10) return false;
  budget->tenths -= 10;
  return true;
}
