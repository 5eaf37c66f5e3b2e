// Asks a model server for the images of seeds, as seed_0.png, ... It needs Java 17 or later alone:
//
//     java Client.java http://localhost:8501 dcgan 0 1 2
//
// Of a model with labels the request has another list beside the seeds: "labels": [3, 5, 8].

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.regex.Pattern;

public class Client {
    private static final Pattern FILE = Pattern.compile("\"b64\"\\s*:\\s*\"([^\"]*)\"");

    public static void main(String[] arguments) throws Exception {
        String[] seeds = Arrays.copyOfRange(arguments, 2, arguments.length);
        String body = "{\"signature_name\": \"png\", \"inputs\": {\"seeds\": [" + String.join(", ", seeds) + "]}}";
        HttpRequest request = HttpRequest.newBuilder()
                .uri(URI.create(arguments[0] + "/v1/models/" + arguments[1] + ":predict"))
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            System.err.println("The server refuses the request (" + answer.statusCode() + "): " + answer.body());
            System.exit(1);
        }
        var files = FILE.matcher(answer.body());
        for (String seed : seeds) {
            files.find();
            Files.write(Path.of("seed_" + seed + ".png"), Base64.getDecoder().decode(files.group(1)));
        }
    }
}
