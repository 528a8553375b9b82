using System.Globalization;
using System.Text;

namespace LlmProxy.Benchmarks.Payloads;

/// <summary>What a request's body mostly consists of.</summary>
public enum RequestShape
{
    /// <summary>A small question of 1 KB.</summary>
    Small,

    /// <summary>What a coding agent sends first, 72 KB.</summary>
    Agent,

    /// <summary>A conversation of 200 KB: some dozens of texts with line feeds in them, indented.</summary>
    Texts,

    /// <summary>An image of 1 MB.</summary>
    Image,

    /// <summary>64 KB of numbers: tokens to be embedded.</summary>
    Numbers,

    /// <summary>64 KB of schemas with short names in eight levels.</summary>
    Nested,
}

/// <summary>Bodies of each shape, the same bytes in every run.</summary>
internal static class RequestBodies
{
    private const string Prose = "Why does the build fail when the cache is cold? Gr\u00fc\u00dfe. The log says that nothing was found, and I do not know where to look next. ";

    public static byte[] Create(RequestShape shape) => shape switch
    {
        RequestShape.Small => AgentBody.Create(1 << 10),
        RequestShape.Agent => AgentBody.Create(),
        _ => Encoding.UTF8.GetBytes(Write(shape)),
    };

    private static string Write(RequestShape shape)
    {
        var text = new StringBuilder("{\"model\":\"gpt-5\",");
        switch (shape)
        {
            case RequestShape.Texts:
                text.Append("\n  \"messages\": [");
                for (var i = 0; text.Length < 200_000; i++)
                {
                    text.Append(i == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"\n    {{\n      \"role\": \"{(i % 2 == 0 ? "user" : "assistant")}\",\n      \"content\": \"");
                    text.Insert(text.Length, Prose + "\\n\\n", 1 + (i % 30)).Append("\"\n    }");
                }

                return text.Append("\n  ],\n  \"stream\": true\n}\n").ToString();
            case RequestShape.Image:
                text.Append("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,");
                text.Append(Convert.ToBase64String([.. Enumerable.Range(0, 768 << 10).Select(i => (byte)((i * 2_654_435_761L) >> 13))]));
                return text.Append("\"}}]}],\"stream\":true}").ToString();
            case RequestShape.Numbers:
                text.Append("\"input\":[");
                for (var i = 0; text.Length < 64 << 10; i++)
                {
                    text.Append(i == 0 ? "" : ",").Append((i * 7919) % 100_277);
                }

                return text.Append("],\"dimensions\":256}").ToString();
            default:
                text.Append("\"tools\":[");
                for (var i = 0; text.Length < 64 << 10; i++)
                {
                    text.Append(i == 0 ? "" : ",").Append("{\"type\":\"function\",\"strict\":true,\"p\":");
                    text.Insert(text.Length, "{\"a\":{\"type\":\"object\",\"required\":[\"a\",\"b\"],\"x\":null,\"n\":1.5,\"of\":", 4).Append("[]").Insert(text.Length, "}}", 4).Append('}');
                }

                return text.Append("],\"stream\":true}").ToString();
        }
    }
}
