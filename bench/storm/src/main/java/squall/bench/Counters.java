package squall.bench;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Exact counts of a worker, which Storm's own statistics are not: they are sampled. A thread writes all of them ten times a second
 * to a file named after the process: {@code nanoseconds TAB component TAB count}, nanoseconds being CLOCK_MONOTONIC, which all
 * processes of a machine share.
 */
final class Counters {
    private static final Map<String, AtomicLong> COUNTS = new ConcurrentHashMap<>();
    private static boolean running;

    private Counters() {
    }

    /** A task's own counter; only its task writes it, so {@code lazySet} is enough. */
    static synchronized AtomicLong counter(Map<String, Object> conf, String component, int task) {
        if (!running) {
            running = true;
            Path dir = Path.of((String) conf.get("squall.results"));
            Thread thread = new Thread(() -> write(dir.resolve(ProcessHandle.current().pid() + ".tsv")), "counters");
            thread.setDaemon(true);
            thread.start();
        }
        return COUNTS.computeIfAbsent(component + "-" + task, name -> new AtomicLong());
    }

    private static void write(Path path) {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(path, StandardCharsets.UTF_8,
                StandardOpenOption.CREATE, StandardOpenOption.APPEND))) {
            while (true) {
                Thread.sleep(100);
                for (Map.Entry<String, AtomicLong> count : COUNTS.entrySet()) {
                    out.println(System.nanoTime() + "\t" + count.getKey() + "\t" + count.getValue().get());
                }
                out.flush();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
