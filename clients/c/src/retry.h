/* When a call is made again.  Pure: the clock and chance come from outside. */
#ifndef STOCK_RETRY_H
#define STOCK_RETRY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct retry_policy {
  uint32_t attempts_max;
  uint32_t pause_ms_first, pause_ms_max;
} retry_policy;

/* What is known of an attempt that failed. */
typedef struct retry_case {
  uint32_t attempts; /* made so far */
  bool curable;      /* another attempt may succeed, or will tell what became of this one */
  uint32_t retry_after_ms;
  uint64_t left_ms;  /* until the caller's deadline */
} retry_case;

/* The pause before another attempt, in milliseconds; -1: there is none.
 * chance: any 64 bits.  The whole pause is random, so that callers that failed together do not come back
 * together. */
int64_t retry_pause_ms(const retry_policy *policy, const retry_case *what, uint64_t chance);

/* The pause before the servers are tried once more, when all have been tried `rounds` times. */
uint64_t dial_pause_ms(uint32_t rounds, uint64_t chance);

/* Keeps repeats a small share of all calls, so that clients do not hold an overloaded server down.  In
 * tenths: a repeat costs ten, a success earns one. */
typedef struct retry_budget {
  uint64_t tenths, tenths_max;
} retry_budget;

void budget_earn(retry_budget *budget);
bool budget_spend(retry_budget *budget);

#endif
