# A fleet of one worker, one workflow on it, and its end; fails when any of them does.
set -eu
# The task queue is shared by all tests of the namespace; the id tells which one this was.
fleet supervise /smoke --workers 1 --pin off --listen off --log-format json &
fleet=$!
trap 'kill -TERM "$fleet" 2>/dev/null; wait "$fleet" || true' EXIT
result=$(fleet run smoke:workflow '"fleet"' --app /smoke --timeout 60s)
echo "$result"
test "$result" = '"hello, fleet"'
