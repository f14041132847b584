package squall.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Spouts and bolts with the work of Squall's {@code const}, {@code null}, {@code file}, {@code split} and {@code count}. */
final class Parts {
    private Parts() {
    }

    /** The same value again and again, as an object that is made once: storm-perf's ConstSpout does so too. */
    static final class ConstSpout extends BaseRichSpout {
        private final boolean tracked;
        private transient SpoutOutputCollector out;
        private transient AtomicLong failed;
        private transient List<Object> row;
        private long next;

        ConstSpout(boolean tracked) {
            this.tracked = tracked;
        }

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            out = collector;
            row = new Values("some data");
            failed = Counters.counter(conf, "failed", context.getThisTaskId());
        }

        @Override
        public void nextTuple() {
            if (tracked) {
                out.emit(row, next++);
            } else {
                out.emit(row);
            }
        }

        @Override
        public void fail(Object id) {
            failed.lazySet(failed.get() + 1);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("value"));
        }
    }

    /** Lines of a file, for ever; kept in memory, as storm-perf's FileReadSpout does. */
    static final class FileSpout extends BaseRichSpout {
        private final boolean tracked;
        private transient SpoutOutputCollector out;
        private transient AtomicLong failed;
        private transient List<String> lines;
        private long next;

        FileSpout(boolean tracked) {
            this.tracked = tracked;
        }

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            out = collector;
            failed = Counters.counter(conf, "failed", context.getThisTaskId());
            try {
                lines = Files.readAllLines(Path.of((String) conf.get("squall.lines")));
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        @Override
        public void nextTuple() {
            Values row = new Values(lines.get((int) (next % lines.size())));
            if (tracked) {
                out.emit(row, next);
            } else {
                out.emit(row);
            }
            next++;
        }

        @Override
        public void fail(Object id) {
            failed.lazySet(failed.get() + 1);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("line"));
        }
    }

    /** Swallows and counts. */
    static final class NullBolt extends BaseRichBolt {
        private transient OutputCollector out;
        private transient AtomicLong count;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
            count = Counters.counter(conf, "null", context.getThisTaskId());
        }

        @Override
        public void execute(Tuple tuple) {
            out.ack(tuple);
            count.lazySet(count.get() + 1);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
        }
    }

    /** Lines to words. */
    static final class SplitBolt extends BaseRichBolt {
        private transient OutputCollector out;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
        }

        @Override
        public void execute(Tuple tuple) {
            for (String word : tuple.getString(0).split("\\s+")) {
                if (!word.isEmpty()) {
                    out.emit(tuple, new Values(word));
                }
            }
            out.ack(tuple);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("word"));
        }
    }

    /** Counts words, and emits the word with its count, to nobody. */
    static final class CountBolt extends BaseRichBolt {
        private transient OutputCollector out;
        private transient AtomicLong count;
        private transient Map<String, Long> counts;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            out = collector;
            counts = new HashMap<>();
            count = Counters.counter(conf, "count", context.getThisTaskId());
        }

        @Override
        public void execute(Tuple tuple) {
            String word = tuple.getString(0);
            out.emit(tuple, new Values(word, counts.merge(word, 1L, Long::sum)));
            out.ack(tuple);
            count.lazySet(count.get() + 1);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("word", "count"));
        }
    }
}
