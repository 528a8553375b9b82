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
    public void Reads(string json, long input, long cached, long written, long output)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
        reader.Read();
        Assert.That(UsageReader.Read(ref reader), Is.EqualTo(new Usage(input, cached, output) { WrittenInput = written }));
        Assert.That(reader.TokenType, Is.EqualTo(JsonTokenType.EndObject));
    }
}
