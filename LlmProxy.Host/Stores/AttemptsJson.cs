using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>The attempts of a row as one column: they are looked at with their row or not at all.</summary>
internal static class AttemptsJson
{
    private const long TicksPerMicrosecond = TimeSpan.TicksPerMillisecond / 1000;

    /// <summary>Null if there are none.</summary>
    public static string? Write(IReadOnlyList<AttemptRecord> attempts)
    {
        if (attempts.Count == 0)
        {
            return null;
        }

        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var attempt in attempts)
            {
                json.WriteStartObject();
                json.WriteString("upstream"u8, StoredText.Of(attempt.Upstream));
                json.WriteString("model"u8, StoredText.Of(attempt.UpstreamModel));
                json.WriteString("end"u8, StoredText.Of(attempt.End));
                json.WriteNumber("us"u8, attempt.Duration.Ticks / TicksPerMicrosecond);
                if (attempt.InputTokens is { } input)
                {
                    json.WriteNumber("in"u8, input);
                }

                if (attempt.OutputTokens is { } output)
                {
                    json.WriteNumber("out"u8, output);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static IReadOnlyList<AttemptRecord> Read(string? json)
    {
        if (json is null)
        {
            return [];
        }

        using var document = JsonDocument.Parse(json);
        return [.. document.RootElement.EnumerateArray().Select(Read)];
    }

    private static AttemptRecord Read(JsonElement json) => new(
        json.GetProperty("upstream"u8).GetString()!,
        json.GetProperty("model"u8).GetString()!,
        json.GetProperty("end"u8).GetString()!,
        TimeSpan.FromTicks(json.GetProperty("us"u8).GetInt64() * TicksPerMicrosecond))
    {
        InputTokens = json.TryGetProperty("in"u8, out var input) ? input.GetInt64() : null,
        OutputTokens = json.TryGetProperty("out"u8, out var output) ? output.GetInt64() : null,
    };
}
