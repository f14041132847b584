package squall.bench;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;

/** Free ports on loopback: {@code Ports N}. */
public final class Ports {
    private Ports() {
    }

    public static void main(String[] args) throws Exception {
        List<ServerSocket> sockets = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < Integer.parseInt(args[0]); i++) {
            ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
            sockets.add(socket);
            text.append(socket.getLocalPort()).append(' ');
        }
        for (ServerSocket socket : sockets) {
            socket.close();
        }
        System.out.println(text.toString().trim());
    }
}
