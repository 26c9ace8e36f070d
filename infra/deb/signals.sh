# shellcheck shell=bash
# For infra/deb/boot-check.sh: what signals and the watchdog do to the units.

# A hung process is noticed, one that ends in order is started again, and SIGHUP ends none.
check_signals() {
  local unit before folder
  for unit in stockd stockworker; do
    folder=/etc/systemd/system/$unit.service.d
    inside install -d $folder
    inside sh -c "printf '[Service]\nWatchdogSec=3\n' > $folder/watchdog.conf"
    inside systemctl daemon-reload
    inside systemctl restart $unit
    before=$(property $unit MainPID)
    inside systemctl kill --kill-whom=main --signal=HUP $unit
    inside systemctl kill --kill-whom=main --signal=USR1 $unit
    sleep 4
    expect "$unit after SIGHUP, SIGUSR1 and its watchdog's time" "$(property $unit MainPID)" "$before"
    inside systemctl kill --kill-whom=main --signal=STOP $unit
    eventually "$unit, which hangs, is started again" has_restarted $unit "$before"
    before=$(property $unit MainPID)
    inside systemctl kill --kill-whom=main --signal=TERM $unit
    eventually "$unit, which has ended with 0, is started again" has_restarted $unit "$before"
    inside rm -r $folder
    inside systemctl daemon-reload
    inside systemctl restart $unit
  done
  sell after-signals
  ok 'SIGHUP ends nothing; who hangs, or ends by hand, is started again'
}
