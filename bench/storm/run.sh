#!/usr/bin/env bash
# Runs the bench's topologies on Apache Storm, with real daemons and real worker processes, and writes figures in the form of
# `squall bench --json` to stdout. Needs Java 17 or newer and Maven; takes Storm from Maven artifacts. See README.md.
#
#   bench/storm/run.sh > storm.json
#   SECONDS_EACH=20 ROUNDS=3 bench/storm/run.sh const-null:1:on:perf wordcount-file:1:on:defaults > storm.json
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
squall=${SQUALL:-squall}
seconds=${SECONDS_EACH:-10}
warm_up=${WARM_UP:-30}
rounds=${ROUNDS:-3}
scenarios=("$@")
if [ ${#scenarios[@]} -eq 0 ]; then
  for settings in perf defaults; do
    scenarios+=("const-null:1:on:$settings" "const-null:2:on:$settings" "wordcount-file:1:on:$settings" "wordcount-file:2:on:$settings")
    scenarios+=("const-null:1:off:$settings" "const-null:2:off:$settings")
  done
fi

command -v java >/dev/null || { echo "run.sh: java is needed" >&2; exit 3; }
command -v mvn >/dev/null || { echo "run.sh: mvn is needed" >&2; exit 3; }
command -v "$squall" >/dev/null || { echo "run.sh: cannot find $squall; say where with SQUALL=target/release/squall" >&2; exit 3; }

(cd "$here" && mvn -q -B package 1>&2)
version=$(sed -n 's:.*<storm.version>\(.*\)</storm.version>.*:\1:p' "$here/pom.xml")
jar=$here/target/bench-storm.jar

dir=$(mktemp -d "${TMPDIR:-/tmp}/squall-storm-XXXXXX")
pids=()
stop() {
  # Workers first, by the folder they were started with; then the daemons, by the ids they were started under.
  for process in /proc/[0-9]*; do
    if tr '\0' ' ' 2>/dev/null <"$process/cmdline" | grep -q -- "-Dstorm.home=$dir/home .*daemon.worker.Worker"; then
      kill -9 "${process#/proc/}" 2>/dev/null || true
    fi
  done
  for pid in "${pids[@]:-}"; do
    if [ -n "$pid" ]; then kill -9 "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi
  done
  if [ -n "${KEEP:-}" ]; then echo "kept: $dir" >&2; else rm -rf "$dir"; fi
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

home=$dir/home
mkdir -p "$home/conf" "$home/log4j2" "$home/extlib" "$home/extlib-daemon" "$dir/zookeeper" "$dir/local" "$dir/logs" "$dir/results"
ln -s "$here/target/home/lib" "$home/lib"
ln -s "$here/target/home/lib-worker" "$home/lib-worker"
echo "$version" >"$home/RELEASE"
for name in cluster worker; do
  cat >"$home/log4j2/$name.xml" <<XML
<configuration><appenders><File name="f" fileName="\${sys:storm.log.dir}/\${sys:logfile.name:-$name.log}" append="true">
<PatternLayout pattern="%d %c{1} %t [%p] %m%n"/></File></appenders>
<loggers><root level="warn"><appender-ref ref="f"/></root></loggers></configuration>
XML
done
read -r zookeeper nimbus slot1 slot2 <<<"$(java -cp "$jar" squall.bench.Ports 4)"
cat >"$home/conf/storm.yaml" <<YAML
storm.zookeeper.servers: ["127.0.0.1"]
storm.zookeeper.port: $zookeeper
storm.local.dir: "$dir/local"
storm.log4j2.conf.dir: "$home/log4j2"
storm.local.hostname: "127.0.0.1"
nimbus.seeds: ["127.0.0.1"]
nimbus.thrift.port: $nimbus
nimbus.monitor.freq.secs: 1
supervisor.slots.ports: [$slot1, $slot2]
supervisor.memory.capacity.mb: 8192
supervisor.cpu.capacity: 800
worker.childopts: "-Xmx768m"
topology.worker.logwriter.childopts: "-Xmx64m"
YAML

daemon() {
  local name=$1 class=$2
  shift 2
  STORM_CONF_DIR=$home/conf java -Xmx512m -Dstorm.home="$home" -Dstorm.log.dir="$dir/logs" -Dlogfile.name="$name.log" \
    -Dlog4j.configurationFile="$home/log4j2/cluster.xml" -Djava.library.path= -cp "$home/conf:$home/lib/*:$jar" \
    "$class" "$@" >"$dir/logs/$name.out" 2>&1 &
  pids+=($!)
}
daemon zookeeper squall.bench.Zoo "$dir/zookeeper" "$zookeeper"
"$squall" bench lines >"$dir/lines.txt"
daemon nimbus org.apache.storm.daemon.nimbus.Nimbus
daemon supervisor org.apache.storm.daemon.supervisor.Supervisor

# Nimbus listens when it is ready.
for _ in $(seq 600); do
  (exec 3<>"/dev/tcp/127.0.0.1/$nimbus") 2>/dev/null && break
  sleep 0.1
done

if ! java -Dstorm.home="$home" -Dstorm.jar="$jar" -Dstorm.log.dir="$dir/logs" -Dsquall.storm="$version" \
  -Dlog4j.configurationFile="$home/log4j2/cluster.xml" -Dlogfile.name=bench.log -cp "$home/conf:$home/lib/*:$jar" \
  squall.bench.Bench "$dir/results" "$dir/lines.txt" "$seconds" "$warm_up" "$rounds" "${scenarios[@]}"; then
  tail -n 20 "$dir"/logs/* >&2 || true
  exit 1
fi
