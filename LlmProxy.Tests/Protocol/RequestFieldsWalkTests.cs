using System.Buffers;
using System.Text;
using CsCheck;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>A body is read on a quick way, or by the runtime's reader where that says no: nobody may see which.</summary>
internal sealed class RequestFieldsWalkTests
{
    // The walk knows no names with escapes.
    private const string LeftToReader = ",\"\\u007a\":0";

    private static readonly FieldNames _names = new(["temperature", "tool_choice"], IdentityParts.User | IdentityParts.Conversation | IdentityParts.Prompt);

    private static readonly Gen<string> _members = Gen.OneOf(
        "\"model\":\"gpt-5\"", "\"model\" : \"caf\u00e9\"", "\"model\":\"a\\\"b\"", "\"model\":\"\"", "\"model\":null", "\"model\":7", "\"Model\":\"x\"",
        "\"stream\":true", "\"stream\": false", "\"stream\":null", "\"stream\":\"true\"",
        "\"stream_options\":{\"include_usage\":true}", "\"stream_options\": {\"include_usage\": true}", "\"stream_options\":{\"include_usage\":true }",
        "\"stream_options\":{\"include_usage\":false}", "\"stream_options\":{}", "\"stream_options\":null", "\"stream_options\":{\"include_usage\":1}", "\"stream_options\":[]",
        "\"stream_options\":{\"include_usage\":tru}", "\"stream_options\":{\"include_usage\"",
        "\"n\":3", "\"n\":\"3\"", "\"max_tokens\":5", "\"max_tokens\":{\"a\":[]}", "\"max_completion_tokens\":\"x\"", "\"MAX_tokens\":1", "\"temperature\":0.5", "\"Temperature\":[1,2]",
        "\"tool_choice\":{\"type\":\"auto\"}", "\"previous_response_id\":\"resp_1\"", "\"conversation\":{\"id\":\"conv_1\"}", "\"conversation\":\"conv_2\"",
        "\"user\":\"u\"", "\"metadata\":{\"user_id\":\"v\"}", "\"system\":\"be short\"", "\"tools\":[{\"type\":\"function\",\"name\":\"t\"}]", "\"other\":[1,{\"model\":\"z\"}]",
        "\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"user\",\"content\":\"more\"}]", "\"input\":[\"a\",\"b\"]", "\"input\":\"a\"");

    [Test]
    public void Both_ways_find_the_same_however_the_body_is_cut() =>
        Gen.Select(_members.Array[1, 6], Gen.Int[0, 300].Array[0, 4], Gen.Int[0, 1000], Gen.Byte)
            .Sample(
                (members, cuts, at, with) =>
                {
                    var body = "{" + string.Join(" , ", members);
                    var read = Describe(Of(body + LeftToReader + "}", [], at, with));
                    return read == Describe(Of(body + ",\"zz\":0}", [], at, with)) && read == Describe(Of(body + ",\"zz\":0}", cuts, at, with));

                    ReadOnlySequence<byte> Of(string json, int[] ends, int changed, byte to)
                    {
                        var bytes = Encoding.UTF8.GetBytes(json);

                        // In one of three, and never in what tells the two bodies apart.
                        if (changed < Encoding.UTF8.GetByteCount(body) && to % 3 == 0 && to != 0)
                        {
                            bytes[changed] = to;
                        }

                        return ends.Length == 0 ? new ReadOnlySequence<byte>(bytes) : Segments.Of(bytes, ends.Select(end => end % (bytes.Length + 1)).Order());
                    }
                },
                iter: 30_000,
                print: tried => $"{string.Join(" , ", tried.Item1)} cut at {string.Join(", ", tried.Item2)}, {tried.Item3}: {tried.Item4}");

    private static string Describe(in ReadOnlySequence<byte> body)
    {
        if (!RequestFields.Read(body, _names).TryGet(out var fields, out var error))
        {
            // Where the reader stopped depends on how it got its bytes.
            return error.Code == "invalid_json" ? error.Code : $"{error.Code} {error.Message}";
        }

        return $"{fields.Model} {fields.Stream} {fields.Choices} {fields.IncludesUsage} {fields.UsageFlag} {fields.HasNoStreamOptions} {fields.PreviousResponse} {fields.Conversation} "
            + $"{fields.MemberCount} {fields.Opening} {fields.Identity.User} {fields.Identity.CacheKey} {fields.Identity.Prompt} {string.Join("|", fields.Fields.ToArray())}";
    }
}
