using System.Text;
using System.Text.Json;
using CsCheck;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

internal sealed class JsonAnswerTests
{
    [Test]
    public void An_answer_cut_off_anywhere_is_none()
    {
        var body = Encoding.UTF8.GetBytes(Chat.Completion("é \"quoted\" } ] "));
        Assert.That(JsonAnswer.TryRead(body, out var whole));
        Assert.That((whole.HasError, whole.Usage, Encoding.UTF8.GetString(whole.Model.In(body))), Is.EqualTo((false, new Usage(9, -1, 12), "\"upstream-mini\"")));
        for (var length = 0; length < body.Length; length++)
        {
            Assert.That(JsonAnswer.TryRead(body.AsSpan(0, length), out _), Is.False, $"{length} bytes");
        }
    }

    [TestCase("")]
    [TestCase("  ")]
    [TestCase("[]")]
    [TestCase("\"x\"")]
    [TestCase("{} {}")]
    [TestCase("{},")]
    [TestCase("{\"a\":1,}")]
    [TestCase("<html></html>")]
    [TestCase("\uFEFF{}")]
    public void Anything_but_one_object_is_no_answer(string body) => Assert.That(JsonAnswer.TryRead(Encoding.UTF8.GetBytes(body), out _), Is.False);

    [TestCase("{}", false)]
    [TestCase("""{"error":null}""", false)]
    [TestCase("""{"x":{"error":"no"}}""", false)]
    [TestCase("""{"error":"x"}""", true)]
    [TestCase("""{"error":{"message":"x"}}""", true)]
    [TestCase("""{"choices":[],"err\u006fr":{}}""", true)]
    public void An_error_is_one_at_the_top(string body, bool hasError)
    {
        Assert.That(JsonAnswer.TryRead(Encoding.UTF8.GetBytes(body), out var answer));
        Assert.That(answer.HasError, Is.EqualTo(hasError));
    }

    [TestCase("""{"x":{"model":"no"},"model":"m"}""", "\"m\"")]
    [TestCase("""{"model":17}""", "")]
    [TestCase("""{"mod\u0065l" : "a\"b" }""", "\"a\\\"b\"")]
    public void The_model_is_the_one_at_the_top(string body, string model)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        Assert.That(JsonAnswer.TryRead(bytes, out var answer));
        Assert.That(Encoding.UTF8.GetString(answer.Model.In(bytes)), Is.EqualTo(model));
    }

    [TestCase("""{"prompt_tokens":3,"completion_tokens":4}""", 3, -1, 4)]
    [TestCase("""{"input_tokens":3,"output_tokens":4,"input_tokens_details":{"cached_tokens":2}}""", 3, 2, 4)]
    [TestCase("""{"prompt_tokens":3,"prompt_tokens_details":{"audio_tokens":1,"cached_tokens":2,"x":[1]},"completion_tokens":4}""", 3, 2, 4)]
    [TestCase("""{"prompt_tokens":3,"total_tokens":3}""", 3, -1, 0)]
    [TestCase("""{"prompt_tokens":3,"completion_tokens":null,"prompt_tokens_details":null}""", 3, -1, 0)]
    [TestCase("""{"prompt_tokens":-1,"completion_tokens":-4}""", -1, -1, -1)]
    [TestCase("""{"prompt_tokens":"3","completion_tokens":4.5,"x":{"prompt_tokens":9}}""", -1, -1, -1)]
    [TestCase("""{"prompt_tokens":1e30,"completion_tokens":[4]}""", -1, -1, -1)]
    [TestCase("{}", -1, -1, -1)]
    public void Usage_is_read_as_far_as_it_makes_sense(string usage, long input, long cached, long output)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(usage));
        reader.Read();
        Assert.That(UsageReader.Read(ref reader), Is.EqualTo(new Usage(input, cached, output)));
        Assert.That((reader.TokenType, reader.CurrentDepth), Is.EqualTo((JsonTokenType.EndObject, 0)), "to its closing brace");
        Assert.That(JsonAnswer.TryRead(Encoding.UTF8.GetBytes("{\"usage\":" + usage + ",\"model\":\"m\"}"), out var answer));
        Assert.That((answer.Usage, answer.Model.Length), Is.EqualTo((new Usage(input, cached, output), 3)));
    }

    [TestCase("""{"prompt_tokens":3,"prompt_tokens":5,"input_tokens":7,"output_tokens":1,"completion_tokens":2}""")]
    [TestCase("""{"input_tokens":3,"cache_read_input_tokens":20,"cache_creation_input_tokens":4,"output_tokens":0}""")]
    [TestCase("""{"input_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":6},"output_tokens":1}""")]
    [TestCase("""{ "prompt_tokens" : 3 , "prompt_tokens_details" : { "cached_tokens" : 2 , "cache_write_tokens" : 1 } , "completion_tokens" : 9 }""")]
    [TestCase("""{"output_tokens":8,"output_tokens_details":{"reasoning_tokens":6,"reasoning_tokens":7},"prompt_cache_hit_tokens":1,"input_tokens":2}""")]
    [TestCase("""{"prompt_tokens":-0,"completion_tokens":9223372036854775807,"prompt_tokens_details":[1],"cache_creation":"x"}""")]
    [TestCase("""{"prompt_tokens":9223372036854775808,"completion_tokens":4e0,"input_tokens":true,"output_tokens":{}}""")]
    [TestCase("""{"input_tokens":3,"service_tier":"standard","output_tokens":1,"service_tier":null}""")]
    [TestCase("""{"input_tokens":3,"service_tier":"flex","service_tier":"priority"}""")]
    [TestCase("{}")]
    public void Usage_is_the_same_whichever_way_it_is_read(string usage)
    {
        var json = Encoding.UTF8.GetBytes(usage);
        var reader = new Utf8JsonReader(json);
        reader.Read();
        var expected = UsageReader.Read(ref reader);
        Assert.That(UsageReader.TryWalk(json, out var read, out var length));
        Assert.That((read, length), Is.EqualTo((expected, json.Length)));
        Assert.That(UsageReader.TryWalk([.. json, .. ",\"prompt_tokens\":70}"u8], out read, out length), "with more behind it");
        Assert.That((read, length), Is.EqualTo((expected, json.Length)));
    }

    /// <summary>What makes it leave the object to the reader stands behind all else, so that each place is the same.</summary>
    [Test]
    public void An_answer_is_the_same_whichever_way_it_is_read() =>
        Gen.OneOf(_members).Array[0, 6].Select(members => string.Join(',', members)).Sample(
            members =>
            {
                var walked = Read($"{{{members}}}");
                var read = Read($"{{{members}{(members.Length > 0 ? "," : "")}\"\\u0078\":0}}");
                return (walked is null) == (read is null) && Parts(walked) == Parts(read);
            },
            iter: 20_000,
            print: members => members);

    private static readonly string[] _members =
    [
        "\"id\":\"a\"", "\"id\" : 7", "\"id\":\"\\n\"", "\"model\":\"m\"", "\"model\":null", "\n  \"model\": \"a model of a longer name\"", "\"object\":\"response\"", "\"object\":\"resp\\u006fnse\"",
        "\"object\":\"chat.completion\"", "\"object\":{\"a\":\"\\n\"}", "\"object\":4", "\"error\":null", "\"error\":{\"code\":1}", "\"error\":\"x\"", "\"error\":nul", "\"service_tier\":\"default\"",
        "\"service_tier\":\"defa\\u0075lt\"", "\"service_tier\":\"scale\"", "\"service_tier\":null", "\"service_tier\":\"\"", "\"service_tier\":[\"flex\"]", "\"usage\":null", "\"usage\":[{}]", "\"usage\":{}",
        "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}", "\"usage\":{\"prompt_toke\\u006es\":3}", "\"usage\":{\"input_tokens\":1,\"service_tier\":\"batch\"}", "\"usage\":{\"input_tokens\":1,\"service_tier\":\"flex\"}",
        "\"usage\":{\"input_tokens\":1", "\"usage\":{\"input_tokens\":01}", "\"usage\" : { \"output_tokens\" : 5 } ", "\"other\":[[],{\"usage\":{\"prompt_tokens\":9}}]", "\"e\\u0072ror\":1", "\"xyzxy\":{\"a\":1}",
    ];

    private static JsonAnswer? Read(string json) => JsonAnswer.TryRead(Encoding.UTF8.GetBytes(json), out var answer) ? answer : null;

    private static (Usage, SseRange, SseRange, SseRange, SseRange, bool)? Parts(JsonAnswer? answer) =>
        answer is null ? null : (answer.Usage, answer.RawUsage, answer.Model, answer.Id, answer.ResponseError, answer.HasError);

    [TestCase("""{"prompt_toke\u006es":3,"completion_tokens":4}""")]
    [TestCase("""{"completion_tokens":4,"prompt_tokens":3,"prompt_tokens_details":{"cache\u0064_tokens":0}}""")]
    public void A_name_in_usage_that_has_escapes_is_left_to_the_reader(string usage)
    {
        Assert.That(UsageReader.TryWalk(Encoding.UTF8.GetBytes(usage), out _, out _), Is.False);
        Assert.That(JsonAnswer.TryRead(Encoding.UTF8.GetBytes("{\"usage\":" + usage + "}"), out var answer));
        Assert.That((answer.Usage.Input, answer.Usage.Output), Is.EqualTo((3, 4)));
    }
}
