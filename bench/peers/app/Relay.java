import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A relay that handles each request in a thread of its own, with the JDK's own server and client: blocking code, as a servlet has it.
 * Arguments: port, URL of the upstream, and "platform" or "virtual".
 */
public class Relay {
    private final HttpClient client;
    private final URI upstream;

    private Relay(URI upstream, ExecutorService threads) {
        this.upstream = upstream;
        this.client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).executor(threads).build();
    }

    public static void main(String[] args) throws Exception {
        ExecutorService threads = args[2].equals("virtual") ? virtualThreads() : Executors.newCachedThreadPool();
        Relay relay = new Relay(URI.create(args[1]), threads);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 4096);
        server.setExecutor(threads);
        server.createContext("/", relay::handle);
        server.start();
    }

    /** By reflection, so that a JDK 17 compiles it, too. */
    private static ExecutorService virtualThreads() throws Exception {
        return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readAllBytes();
            HttpRequest request = HttpRequest.newBuilder(upstream)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
            HttpResponse<InputStream> answer = client.send(request, HttpResponse.BodyHandlers.ofInputStream());
            pass(answer, exchange);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void pass(HttpResponse<InputStream> answer, HttpExchange exchange) throws IOException {
        answer.headers().firstValue("Content-Type").ifPresent(t -> exchange.getResponseHeaders().set("Content-Type", t));
        long length = answer.headers().firstValueAsLong("Content-Length").orElse(0); // 0 is an answer in chunks
        exchange.sendResponseHeaders(answer.statusCode(), length);
        byte[] piece = new byte[16 << 10];
        try (InputStream in = answer.body(); OutputStream out = exchange.getResponseBody()) {
            for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
                out.write(piece, 0, n);
                out.flush();
            }
        }
    }
}
