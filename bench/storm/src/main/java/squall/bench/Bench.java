package squall.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.generated.KillOptions;
import org.apache.storm.generated.Nimbus;
import org.apache.storm.generated.NotAliveException;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.utils.NimbusClient;
import org.apache.storm.utils.Utils;

/**
 * Submits each topology to the running cluster, lets it warm up, takes the difference of exact counts over a while, kills it, and
 * writes the figures as {@code squall bench --json} does: {@code Bench RESULTS_DIR LINES_FILE SECONDS WARM_UP ROUNDS SCENARIO...}, a
 * scenario being {@code NAME:WORKERS:on|off:SETTINGS}.
 */
public final class Bench {
    private final Path results;
    private final String lines;
    private final double seconds;
    private final double warmUp;
    private final int rounds;

    private Bench(String[] args) {
        results = Path.of(args[0]);
        lines = args[1];
        seconds = Double.parseDouble(args[2]);
        warmUp = Double.parseDouble(args[3]);
        rounds = Integer.parseInt(args[4]);
    }

    public static void main(String[] args) throws Exception {
        Bench bench = new Bench(args);
        List<String> entries = new ArrayList<>();
        for (String scenario : Arrays.copyOfRange(args, 5, args.length)) {
            String[] parts = scenario.split(":");
            entries.add(bench.entry(parts[0], Integer.parseInt(parts[1]), parts[2].equals("on"), parts[3]));
        }
        System.out.println("{\"conditions\": " + bench.conditions() + ",\n\"entries\": [\n" + String.join(",\n", entries) + "\n]}");
    }

    /** What one run came to. */
    private record Figures(double rate, double cpuPerMillion, double cores, long peakRss, long failed, double steal) {
    }

    private String entry(String name, int workers, boolean acking, String settings) throws Exception {
        List<Figures> runs = new ArrayList<>();
        for (int round = 1; round <= rounds; round++) {
            System.err.printf("storm %s, %d workers, acking %s, %s: round %d of %d%n", name, workers, acking, settings, round, rounds);
            runs.add(run(name, workers, acking, settings));
        }
        return String.format(Locale.ROOT, "{\"scenario\": \"%s\", \"workers\": %d, \"acking\": %s, \"load\": \"%s\", "
                + "\"per_second\": %s, \"cpu_per_million\": %s, \"cores\": %s, \"peak_rss\": %d, \"steal\": %.2f, \"failed\": %d, "
                + "\"queued\": 0, \"rounds\": [%s]}",
                name, workers, acking, settings.equals("perf") ? "" : settings,
                spread(runs.stream().mapToDouble(Figures::rate).toArray()),
                spread(runs.stream().mapToDouble(Figures::cpuPerMillion).toArray()),
                spread(runs.stream().mapToDouble(Figures::cores).toArray()),
                runs.stream().mapToLong(Figures::peakRss).max().orElse(0),
                runs.stream().mapToDouble(Figures::steal).max().orElse(0),
                runs.stream().mapToLong(Figures::failed).sum(),
                runs.stream().map(r -> String.format(Locale.ROOT, "[%.1f, null]", r.rate())).collect(Collectors.joining(", ")));
    }

    private static String spread(double[] values) {
        Arrays.sort(values);
        int middle = values.length / 2;
        double median = values.length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
        return String.format(Locale.ROOT, "{\"median\": %.4f, \"min\": %.4f, \"max\": %.4f}", median, values[0], values[values.length - 1]);
    }

    private Figures run(String name, int workers, boolean acking, String settings) throws Exception {
        clear();
        Config conf = new Config();
        conf.put("squall.results", results.toString());
        conf.put("squall.lines", lines);
        conf.setNumWorkers(workers);
        conf.setNumAckers(acking ? workers : 0);
        if (acking) {
            conf.setMaxSpoutPending(10_000);
        }
        // Sampling for the UI costs time, and load-aware shuffling too: storm-perf turns both off.
        conf.put(Config.TOPOLOGY_STATS_SAMPLE_RATE, 0.0005);
        conf.put(Config.TOPOLOGY_DISABLE_LOADAWARE_MESSAGING, true);
        if (settings.equals("perf")) {
            conf.put(Config.TOPOLOGY_PRODUCER_BATCH_SIZE, 1000);
            conf.put(Config.TOPOLOGY_TRANSFER_BATCH_SIZE, 1000);
            conf.put(Config.TOPOLOGY_TRANSFER_BUFFER_SIZE, 50_000);
            conf.put(Config.TOPOLOGY_EXECUTOR_RECEIVE_BUFFER_SIZE, 65_536);
            conf.put(Config.TOPOLOGY_SPOUT_RECVQ_SKIPS, 8);
        }
        String counted = name.equals("const-null") ? "null" : "count";
        TopologyBuilder builder = new TopologyBuilder();
        switch (name) {
            case "const-null" -> {
                builder.setSpout("const", new Parts.ConstSpout(acking), 1);
                builder.setBolt("null", new Parts.NullBolt(), 1).shuffleGrouping("const");
            }
            case "wordcount-file" -> {
                builder.setSpout("lines", new Parts.FileSpout(acking), 1);
                builder.setBolt("split", new Parts.SplitBolt(), 2).localOrShuffleGrouping("lines");
                builder.setBolt("count", new Parts.CountBolt(), 2).fieldsGrouping("split", new Fields("word"));
            }
            default -> throw new IllegalArgumentException("no topology " + name);
        }
        StormSubmitter.submitTopology("bench", conf, builder.createTopology());
        try {
            await(counted);
            Thread.sleep((long) (warmUp * 1000));
            long[] cpuBefore = cpu();
            long[] before = processors();
            long from = System.nanoTime();
            Thread.sleep((long) (seconds * 1000));
            long to = System.nanoTime();
            long[] cpuAfter = cpu();
            long[] after = processors();
            Thread.sleep(300);
            double rate = rate(counted, from, to);
            double cpu = (cpuAfter[0] - cpuBefore[0]) / 100.0 / ((to - from) / 1e9);
            double all = Math.max(1, after[1] - before[1]);
            long failed = Math.round(rate("failed", from, to) * seconds);
            return new Figures(rate, cpu / rate * 1e6, cpu, cpuAfter[1], failed, (after[0] - before[0]) / all * 100);
        } finally {
            kill();
        }
    }

    /** Waits until something is counted. */
    private void await(String counted) throws Exception {
        long deadline = System.nanoTime() + 120_000_000_000L;
        while (last(counted) == 0) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("nothing was counted; see the logs of nimbus, supervisor and workers");
            }
            Thread.sleep(100);
        }
    }

    private static void kill() throws Exception {
        try (NimbusClient client = NimbusClient.Builder.withConf(Utils.readStormConfig()).build()) {
            Nimbus.Iface nimbus = client.getClient();
            KillOptions now = new KillOptions();
            now.set_wait_secs(0);
            nimbus.killTopologyWithOpts("bench", now);
            while (nimbus.getTopologySummaries().stream().anyMatch(t -> t.get_name().equals("bench"))) {
                Thread.sleep(200);
            }
        } catch (NotAliveException e) {
            // It is gone already.
        }
        // The supervisor stops workers a little later.
        Thread.sleep(5000);
    }

    private List<Path> files() throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(results, "*.tsv")) {
            found.forEach(files::add);
        }
        return files;
    }

    private void clear() throws IOException {
        for (Path file : files()) {
            Files.delete(file);
        }
    }

    private long last(String counted) throws IOException {
        long sum = 0;
        for (Path file : files()) {
            Map<String, Long> last = new HashMap<>();
            for (String line : Files.readAllLines(file)) {
                String[] parts = line.split("\t");
                if (parts.length == 3 && parts[1].startsWith(counted + "-")) {
                    last.put(parts[1], Long.parseLong(parts[2]));
                }
            }
            sum += last.values().stream().mapToLong(Long::longValue).sum();
        }
        return sum;
    }

    /** Each task's count between its first and its last line in that time, by that time; summed over tasks. */
    private double rate(String counted, long from, long to) throws IOException {
        double sum = 0;
        for (Path file : files()) {
            Map<String, long[]> spans = new HashMap<>();
            for (String line : Files.readAllLines(file)) {
                String[] parts = line.split("\t");
                if (parts.length != 3 || !parts[1].startsWith(counted + "-")) {
                    continue;
                }
                long at = Long.parseLong(parts[0]);
                long count = Long.parseLong(parts[2]);
                if (at >= from && at <= to) {
                    long[] span = spans.computeIfAbsent(parts[1], name -> new long[] {at, count, at, count});
                    span[2] = at;
                    span[3] = count;
                }
            }
            for (long[] span : spans.values()) {
                if (span[2] > span[0]) {
                    sum += (span[3] - span[1]) / ((span[2] - span[0]) / 1e9);
                }
            }
        }
        return sum;
    }

    /** Ticks of all workers, and the peak memory of the largest, in bytes. */
    private long[] cpu() throws IOException {
        long ticks = 0;
        long peak = 0;
        for (Path file : files()) {
            Path process = Path.of("/proc", file.getFileName().toString().replace(".tsv", ""));
            if (!Files.exists(process)) {
                continue;
            }
            String stat = Files.readString(process.resolve("stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            ticks += Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
            for (String line : Files.readAllLines(process.resolve("status"))) {
                if (line.startsWith("VmHWM:")) {
                    peak = Math.max(peak, Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024);
                }
            }
        }
        return new long[] {ticks, peak};
    }

    /** Ticks stolen by the host, and all. */
    private static long[] processors() throws IOException {
        String[] fields = Files.readAllLines(Path.of("/proc/stat")).get(0).trim().split("\\s+");
        long all = 0;
        for (int i = 1; i <= 8; i++) {
            all += Long.parseLong(fields[i]);
        }
        return new long[] {Long.parseLong(fields[8]), all};
    }

    private String conditions() throws IOException {
        String cpu = value("/proc/cpuinfo", "model name");
        long memory = Long.parseLong(value("/proc/meminfo", "MemTotal").replaceAll("[^0-9]", "")) * 1024;
        String kernel = Files.readString(Path.of("/proc/sys/kernel/osrelease"), StandardCharsets.UTF_8).trim();
        String java = System.getProperty("java.version");
        return String.format(Locale.ROOT, "{\"cpu\": \"%s\", \"cores\": %d, \"kernel\": \"%s\", \"memory_bytes\": %d, "
                + "\"version\": \"Apache Storm %s, Java %s\", \"date\": \"%s\", \"seconds\": %.1f, \"warm_up\": %.1f, \"rounds\": %d, "
                + "\"notes\": [\"settings `perf`: producer and transfer batches of 1000, receive queues of 65,536, as in storm-perf; "
                + "`defaults`: Storm's own; both: sample rate 0.0005, no load-aware shuffling, one acker a worker, 10,000 pending\"]}",
                cpu, Runtime.getRuntime().availableProcessors(), kernel, memory, System.getProperty("squall.storm", "?"), java,
                LocalDate.now(ZoneOffset.UTC), seconds, warmUp, rounds);
    }

    private static String value(String file, String key) throws IOException {
        for (String line : Files.readAllLines(Path.of(file))) {
            if (line.startsWith(key)) {
                return line.substring(line.indexOf(':') + 1).trim();
            }
        }
        return "";
    }
}
