/* Runs one scenario: scenarios NAME ADDRESS SKU [WORD...].  client_test.py starts the servers, the faults
 * between, and this program. */
#include "scenario.h"

int main(int count, char **arguments) {
  static const struct {
    const char *name;
    scenario *run;
  } all[] = {
      {"units", units}, {"addresses", addresses}, {"sale", sale}, {"acknowledged", acknowledged},
      {"refusals", refusals},
      {"batch", batch}, {"several_clients", several_clients}, {"reserves", reserves}, {"fails", fails},
      {"keeps_selling", keeps_selling}, {"busy_polling", busy_polling},
      {"going_away", going_away}, {"going_twice", going_twice},
      {"pipelined", pipelined},
      {"own_loop", own_loop}, {"teardown", teardown}, {"bounded", bounded},
      {"one_way_at_a_time", one_way_at_a_time}, {"stubs", stubs}, {"book_stubs", book_stubs},
      {"stub_failures", stub_failures}, {"stub_teardown", stub_teardown}, {"orders", orders},
      {"listed", listed}, {"changes", changes}, {"changes_together", changes_together},
      {"watched", watched}, {"followed", followed},
      {"follows_all", follows_all}, {"stream_fails", stream_fails}, {"stream_refusals", stream_refusals},
      {"stream_teardown", stream_teardown}, {"metadata", metadata},
  };
  if (count < 4) return 64;
  scenario_input input = {arguments[2], arguments[3], count - 4, arguments + 4};
  for (size_t place = 0; place < sizeof all / sizeof all[0]; place++) {
    if (strcmp(all[place].name, arguments[1]) != 0) continue;
    all[place].run(&input);
    return 0;
  }
  fprintf(stderr, "no scenario %s\n", arguments[1]);
  return 64;
}
