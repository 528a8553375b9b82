using System.Text;
using System.Text.Json;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>Every provider's words for the same counts.</summary>
internal sealed class UsageReaderTests
{
    [TestCase("{\"prompt_tokens\":9,\"completion_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":4}}", 9, 4, -1, 12)]
    [TestCase("{\"prompt_tokens\":9,\"total_tokens\":9}", 9, -1, -1, 0)]
    [TestCase("{\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":20},\"output_tokens\":87}", 36, 20, -1, 87)]
    [TestCase("{\"input_tokens\":25,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":100,\"output_tokens\":15}", 132, 100, 7, 15)]
    [TestCase("{\"input_tokens\":25,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":null,\"output_tokens\":15}", 25, -1, -1, 15)]
    [TestCase("{\"prompt_tokens\":132,\"completion_tokens\":15,\"input_tokens\":25,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":100}", 132, 100, 7, 15)]
    [TestCase("{\"prompt_tokens\":-1,\"completion_tokens\":\"12\",\"prompt_tokens_details\":[1]}", -1, -1, -1, -1)]
    // vLLM without its option for details, then Ollama.
    [TestCase("{\"prompt_tokens\":9,\"total_tokens\":21,\"completion_tokens\":12,\"prompt_tokens_details\":null}", 9, -1, -1, 12)]
    [TestCase("{\"prompt_tokens\":26,\"completion_tokens\":298,\"total_tokens\":324}", 26, -1, -1, 298)]
    [TestCase("{\"prompt_tokens\":50,\"completion_tokens\":6,\"prompt_cache_hit_tokens\":40,\"prompt_cache_miss_tokens\":10}", 50, 40, -1, 6)]
    [TestCase("{\"prompt_tokens\":50,\"completion_tokens\":6,\"prompt_tokens_details\":{\"cached_tokens\":40,\"cache_write_tokens\":8}}", 50, 40, 8, 6)]
    // OpenAI and Azure; then Anthropic, in whose parts the whole has to be put together.
    [TestCase("{\"prompt_tokens\":9,\"completion_tokens\":90,\"completion_tokens_details\":{\"accepted_prediction_tokens\":0,\"audio_tokens\":0,\"reasoning_tokens\":64,\"rejected_prediction_tokens\":0},\"prompt_tokens_details\":{\"audio_tokens\":0,\"cached_tokens\":0}}", 9, 0, -1, 90, -1, 64)]
    [TestCase("{\"input_tokens\":36,\"output_tokens\":87,\"output_tokens_details\":{\"reasoning_tokens\":70}}", 36, -1, -1, 87, -1, 70)]
    [TestCase("{\"input_tokens\":5,\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":100,\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},\"output_tokens\":1,\"service_tier\":\"standard\"}", 135, 100, 30, 1, 20)]
    [TestCase("{\"input_tokens\":5,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":0,\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":1}", 15, 0, 10, 1, 0)]
    [TestCase("{\"input_tokens\":5,\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},\"output_tokens\":1}", 35, -1, 30, 1, 20)]
    [TestCase("{\"input_tokens\":5,\"cache_creation\":null,\"completion_tokens_details\":7,\"output_tokens_details\":{\"reasoning_tokens\":{\"x\":1}},\"output_tokens\":1}", 5, -1, -1, 1)]
    // Beyond all measure: as much as a sum can bear.
    [TestCase("{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":9000000000000000000}", Usage.Most, -1, -1, Usage.Most)]
    [TestCase("{\"input_tokens\":9223372036854775807,\"cache_read_input_tokens\":9223372036854775807,\"output_tokens\":1}", Usage.Most, Usage.Most, -1, 1)]
    public void Reads(string json, long input, long cached, long written, long output, long writtenForHour = -1, long reasoning = -1)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
        reader.Read();
        Assert.That(
            UsageReader.Read(ref reader) with { Tier = null },
            Is.EqualTo(new Usage(input, cached, output) { WrittenInput = written, WrittenForHour = writtenForHour, Reasoning = reasoning }));
        Assert.That(reader.TokenType, Is.EqualTo(JsonTokenType.EndObject));
    }

    [Test]
    public void What_the_last_event_of_a_stream_does_not_repeat_is_known_from_the_first()
    {
        var usage = new UsageReader();
        foreach (var json in (string[])[
            "{\"input_tokens\":5,\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":100,\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},\"output_tokens\":1}",
            "{\"output_tokens\":15}"])
        {
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
            reader.Read();
            usage.Add(ref reader);
        }

        Assert.That(usage.SoFar, Is.EqualTo(new Usage(135, 100, 15) { WrittenInput = 30, WrittenForHour = 20 }));
    }
}
