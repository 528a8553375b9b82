using System.Buffers.Binary;
using System.Text.Json;

namespace LlmProxy.Host.Demo;

/// <summary>
/// Embeddings without a model: every word adds its sign at a place that its hash gives, so equal texts are equal and texts
/// that share words are near each other.
/// </summary>
internal static class DemoEmbeddings
{
    private const int DefaultDimensions = 256;
    private const int MostDimensions = 4096;

    public static async Task AnswerAsync(HttpContext http)
    {
        try
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted);
            var inputs = Inputs(DemoRequest.Member(body.RootElement, "input"));
            if (inputs.Count == 0)
            {
                await DemoError.WriteAsync(http, 400, "\"input\" is missing or of the wrong type.", "invalid_type", "input");
                return;
            }

            var dimensions = Math.Min(DemoRequest.Number(body.RootElement, "dimensions") ?? DefaultDimensions, MostDimensions);
            var format = DemoRequest.Member(body.RootElement, "encoding_format");
            var isBase64 = format.ValueKind == JsonValueKind.String && format.ValueEquals("base64"u8);
            await WriteAsync(http, inputs, dimensions, isBase64);
        }
        catch (JsonException)
        {
            await DemoError.WriteAsync(http, 400, "The body is not JSON.", "invalid_json");
        }
    }

    private static async Task WriteAsync(HttpContext http, List<string> inputs, int dimensions, bool isBase64)
    {
        http.Response.ContentType = "application/json";
        await using var json = DemoJson.To(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        for (var i = 0; i < inputs.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "embedding"u8);
            json.WriteNumber("index"u8, i);
            WriteVector(json, Vector(inputs[i], dimensions), isBase64);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("model"u8, DemoUpstream.Model);
        json.WriteStartObject("usage"u8);
        var tokens = inputs.Sum(static input => DemoRequest.Tokens(input.Length));
        json.WriteNumber("prompt_tokens"u8, tokens);
        json.WriteNumber("total_tokens"u8, tokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>A string, a list of strings, a list of tokens or a list of such lists; tokens are taken as words.</summary>
    private static List<string> Inputs(JsonElement input) => input.ValueKind switch
    {
        JsonValueKind.String => [input.GetString()!],
        JsonValueKind.Array when input.GetArrayLength() > 0 && input[0].ValueKind == JsonValueKind.Number => [Tokens(input)],
        JsonValueKind.Array => [.. input.EnumerateArray().Select(static item => item.ValueKind == JsonValueKind.String ? item.GetString()! : Tokens(item))],
        _ => [],
    };

    private static string Tokens(JsonElement list) =>
        list.ValueKind == JsonValueKind.Array ? string.Join(' ', list.EnumerateArray().Select(static token => token.GetRawText())) : list.GetRawText();

    private static float[] Vector(string text, int dimensions)
    {
        var vector = new float[dimensions];
        foreach (var range in text.AsSpan().Split(' '))
        {
            var hash = Hash(text.AsSpan(range));
            vector[hash / 2 % (uint)dimensions] += hash % 2 == 0 ? 1 : -1;
        }

        var length = MathF.Sqrt(vector.Sum(static value => value * value));
        if (length == 0)
        {
            // Words that cancel each other out: any unit vector will do, as long as it is always the same.
            vector[0] = 1;
            return vector;
        }

        for (var i = 0; i < dimensions; i++)
        {
            vector[i] /= length;
        }

        return vector;
    }

    /// <summary>FNV-1a: unlike string.GetHashCode it is the same in every run.</summary>
    private static uint Hash(ReadOnlySpan<char> word)
    {
        var hash = 2166136261u;
        foreach (var character in word)
        {
            hash = (hash ^ char.ToLowerInvariant(character)) * 16777619u;
        }

        return hash;
    }

    private static void WriteVector(Utf8JsonWriter json, float[] vector, bool isBase64)
    {
        if (isBase64)
        {
            var bytes = new byte[vector.Length * sizeof(float)];
            for (var i = 0; i < vector.Length; i++)
            {
                BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
            }

            json.WriteBase64String("embedding"u8, bytes);
            return;
        }

        json.WriteStartArray("embedding"u8);
        foreach (var value in vector)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
