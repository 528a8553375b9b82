using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmProxy.Host.Demo;

/// <summary>JSON as the well-known providers write it: quotes and letters of any script as they are, not escaped for HTML.</summary>
internal static class DemoJson
{
    private static readonly JsonWriterOptions _options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Utf8JsonWriter To(IBufferWriter<byte> output) => new(output, _options);
}
