package squall.bench;

import org.apache.storm.zookeeper.Zookeeper;

/** A ZooKeeper server for one run, in memory and a folder that goes with the run: {@code Zoo DIR PORT}. */
public final class Zoo {
    private Zoo() {
    }

    public static void main(String[] args) throws Exception {
        Zookeeper.mkInprocessZookeeper(args[0], Integer.parseInt(args[1]));
        Thread.currentThread().join();
    }
}
