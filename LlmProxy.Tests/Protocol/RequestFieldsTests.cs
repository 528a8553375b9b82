using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>Rows C01 to C11, C47 and C48, with the body in one piece and cut at every byte.</summary>
internal sealed class RequestFieldsTests
{
    private static readonly FieldNames _names = new(["temperature", "größe", "topK"]);

    private static readonly (string Row, string Body, string Outcome)[] _keys =
    [
        ("C01", "", "invalid_json"),
        ("C01", " \r\n\t", "invalid_json"),
        ("C01", "null", "invalid_body"),
        ("C01", "[]", "invalid_body"),
        ("C01", "[{\"model\":\"m\"}]", "invalid_body"),
        ("C01", "\"model\"", "invalid_body"),
        ("C01", "17", "invalid_body"),
        ("C01", "17 x", "invalid_json"),
        ("C02", "{\"model\":\"m\"", "invalid_json"),
        ("C02", "{\"model\":\"m", "invalid_json"),
        ("C02", "{\"model\":\"m\"}x", "invalid_json"),
        ("C02", "{\"model\":\"m\"}{\"model\":\"n\"}", "invalid_json"),
        ("C02", "{\"model\":\"m\",}", "invalid_json"),
        ("C02", "{\"model\":\"m\"}//", "invalid_json"),
        ("C02", "{/**/\"model\":\"m\"}", "invalid_json"),
        ("C02", "{'model':'m'}", "invalid_json"),
        ("C02", "{\"model\":\"m\",\"a\":NaN}", "invalid_json"),
        ("C02", "{\"model\":\"m\",\"a\":01}", "invalid_json"),
        ("C02", "{\"model\":\"m\",\"a\":[1,2}", "invalid_json"),
        ("C02", "{\"model\":\"a\nb\"}", "invalid_json"),
        ("C02", "\uFEFF{\"model\":\"m\"}", "invalid_json"),
        ("C05", "{\"model\":\"m\",\"model\":\"m\"}", "duplicate_key"),
        ("C05", "{\"stream\":true,\"model\":\"m\",\"stream\":true}", "duplicate_key"),
        ("C05", "{\"model\":\"m\",\"n\":1,\"n\":2}", "duplicate_key"),
        ("C05", "{\"model\":\"m\",\"max_tokens\":1,\"max_tokens\":2}", "duplicate_key"),
        ("C05", "{\"stream\":7,\"model\":\"m\"}", "invalid_type"),
        ("C05", "{\"stream\":7,\"model\":\"m\",\"n\":1,\"n\":2}", "duplicate_key"),
        ("C06", "{\"model\":\"m\",\"mod\\u0065l\":\"x\"}", "duplicate_key"),
        ("C06", "{\"\\u006d\\u006f\\u0064\\u0065\\u006C\":\"m\"}", "ok m"),
        ("C06", "{\"model\":\"m\",\"str\\u0065am\":true}", "ok m stream"),
        ("C07", "{\"Model\":\"m\"}", "ambiguous_key"),
        ("C07", "{\"MODEL\":\"m\",\"model\":\"m\"}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"\\u004dodel\":\"x\"}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"ſtream\":true}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"\\u017ftream\":true}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"max_to\u212Aens\":9}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"max_to\\u212aens\":9}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"N\":2}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"Stream_Options\":{}}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"MAX_COMPLETION_TOKENS\":9}", "ambiguous_key"),
        ("C07", "{\"model\":\"m\",\"Temperature\":1}", "ok m"),
        ("C07", "{\"model\":\"m\",\"model \":\"x\",\"mode\":\"x\",\"models\":\"x\"}", "ok m"),
    ];

    private static readonly (string Row, string Body, string Outcome)[] _values =
    [
        ("C08", "{\"metadata\":{\"model\":\"x\",\"model\":\"y\"},\"messages\":[{\"content\":\"\\\"model\\\":\\\"z\\\"\"}],\"model\":\"m\"}", "ok m"),
        ("C08", "{\"metadata\":{\"model\":\"x\"}}", "model_required"),
        ("C09", "{}", "model_required"),
        ("C09", "{\"model\":null}", "model_required"),
        ("C09", "{\"model\":17}", "invalid_model"),
        ("C09", "{\"model\":[\"m\"]}", "invalid_model"),
        ("C09", "{\"model\":{\"model\":\"m\"}}", "invalid_model"),
        ("C09", "{\"model\":\"\"}", "invalid_model"),
        ("C09", "{\"model\":\"a\\u0000b\"}", "invalid_model"),
        ("C09", "{\"model\":\"a\\r\\nX: y\"}", "invalid_model"),
        ("C09", "{\"model\":\"a\\u007f\"}", "invalid_model"),
        ("C10", "{\"model\":\"a\\ud800\"}", "invalid_model"),
        ("C10", "{\"model\":\"a\\ud800\\ud800\"}", "invalid_model"),
        ("C11", "{\"model\":\"m\",\"x\":\"\\ud800\",\"\\ud800\":1,\"y\":\"\\u0000\"}", "ok m"),
        ("C47", "{\"model\":\"m\",\"stream\":\"true\"}", "invalid_type"),
        ("C47", "{\"model\":\"m\",\"stream\":1}", "invalid_type"),
        ("C47", "{\"model\":\"m\",\"stream\":null}", "ok m"),
        ("C47", "{\"model\":\"m\",\"stream\":false}", "ok m"),
        ("C47", "{\"stream\":true,\"model\":\"m\"}", "ok m stream"),
        ("C48", "{\"model\":\"m\",\"stream_options\":true}", "invalid_type"),
        ("C48", "{\"model\":\"m\",\"stream_options\":[]}", "invalid_type"),
        ("C48", "{\"model\":\"m\",\"stream_options\":null}", "ok m"),
        ("C48", "{\"model\":\"m\",\"stream_options\":{\"include_usage\":false}}", "ok m"),
        ("n", "{\"model\":\"m\",\"n\":3}", "ok m n=3"),
        ("n", "{\"model\":\"m\",\"n\":0}", "ok m"),
        ("n", "{\"model\":\"m\",\"n\":-5}", "ok m"),
        ("n", "{\"model\":\"m\",\"n\":99999999999}", "ok m"),
        ("n", "{\"model\":\"m\",\"n\":1000000}", "ok m n=128"),
        ("n", "{\"model\":\"m\",\"n\":\"3\"}", "ok m"),
    ];

    private static IEnumerable<TestCaseData> Rows() => _keys.Concat(_values).Select((row, i) => new TestCaseData(row.Body, row.Outcome).SetName($"{row.Row}_{i}({row.Outcome})"));

    [TestCaseSource(nameof(Rows))]
    public void Body(string body, string outcome)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        Assert.That(OutcomeOf(new ReadOnlySequence<byte>(bytes)), Is.EqualTo(outcome));
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            Assert.That(OutcomeOf(Segments.Of(bytes, cut)), Is.EqualTo(outcome), $"cut at {cut}");
        }

        Assert.That(OutcomeOf(Segments.Single(bytes)), Is.EqualTo(outcome), "every byte alone");
    }

    [TestCase(new byte[] { 0xFF, 0xFE, (byte)'{', 0 })]
    [TestCase(new byte[] { 0xFE, 0xFF, 0, (byte)'{' })]
    [TestCase(new byte[] { (byte)'{', 0, (byte)'}', 0 })]
    [TestCase(new byte[] { 0, (byte)'{', 0, (byte)'}' })]
    [TestCase(new byte[] { 0, 0, 0, (byte)'{' })]
    [TestCase(new byte[] { 0xFF, 0xFE, 0, 0 })]
    public void C04_another_encoding_than_UTF8_is_told_by_its_first_bytes(byte[] body)
    {
        Assert.That(OutcomeOf(new ReadOnlySequence<byte>(body)), Is.EqualTo("unsupported_charset"));
        Assert.That(OutcomeOf(Segments.Single(body)), Is.EqualTo("unsupported_charset"));
    }

    [Test]
    public void C10_and_C11_bytes_that_are_no_UTF8_are_refused_in_the_model_and_passed_elsewhere()
    {
        byte[] inModel = [.. "{\"model\":\"a"u8, 0xC3, .. "\"}"u8];
        byte[] elsewhere = [.. "{\"model\":\"m\",\"x\":\""u8, 0xFF, 0xC3, .. "\",\"k"u8, 0xFF, .. "\":1}"u8];
        foreach (var cut in Enumerable.Range(0, inModel.Length))
        {
            Assert.That(OutcomeOf(Segments.Of(inModel, cut)), Is.EqualTo("invalid_model"));
        }

        foreach (var cut in Enumerable.Range(0, elsewhere.Length))
        {
            Assert.That(OutcomeOf(Segments.Of(elsewhere, cut)), Is.EqualTo("ok m"));
        }
    }

    [Test]
    public void C09_a_model_may_have_256_characters()
    {
        Assert.That(OutcomeOf(Body("m", 256)), Is.EqualTo("ok " + new string('m', 256)));
        Assert.That(OutcomeOf(Body("m", 257)), Is.EqualTo("invalid_model"));
        Assert.That(OutcomeOf(Body("m", 10_000)), Is.EqualTo("invalid_model"));

        static ReadOnlySequence<byte> Body(string letter, int count) =>
            new(Encoding.UTF8.GetBytes("{\"model\":\"" + string.Concat(Enumerable.Repeat(letter, count)) + "\"}"));
    }

    [Test]
    public void C02_the_message_gives_an_offset_and_not_a_byte_of_the_body()
    {
        var error = RequestFields.Read(new ReadOnlySequence<byte>("{\"prompt\":\"canary\"; "u8.ToArray()), _names).Error!;
        Assert.That(error.Message, Does.Match("at byte [0-9]+").And.Not.Contain("canary"));
    }

    [Test]
    public void C13_many_keys_and_deep_values_are_passed_over_in_time_that_grows_with_them_only()
    {
        var many = "{" + string.Concat(Enumerable.Range(0, 500_000).Select(i => $"\"k{i}\":1e999,")) + "\"model\":\"m\"}";
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        Assert.That(OutcomeOf(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(many))), Is.EqualTo("ok m"));
        Assert.That(System.Diagnostics.Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(5)));
        Assert.That(OutcomeOf(Nested(900)), Is.EqualTo("ok m"));
        Assert.That(OutcomeOf(Nested(100_000)), Is.EqualTo("invalid_json"));

        static ReadOnlySequence<byte> Nested(int depth) =>
            new(Encoding.UTF8.GetBytes("{\"model\":\"m\",\"x\":" + new string('[', depth) + new string(']', depth) + "}"));
    }

    [Test]
    public void Offsets_are_those_of_the_body_wherever_it_is_cut()
    {
        var body = Encoding.UTF8.GetBytes(
            "\r\n { \"a\" : 1 ,\t\"model\" :  \"é\\\"m\" , \"stream\":true,\"x\":{\"model\":[1 , 2]}, \"größe\" : -1.5e3 ,\"topk\":[ ] ,\"temp\\u0065rature\" : { \"a\" : 1 } } ");
        var whole = Described(new ReadOnlySequence<byte>(body), body);
        Assert.That(whole, Is.EqualTo(new[]
        {
            "model exact \"model\" :  \"é\\\"m\"|\"é\\\"m\"|after 1|before \"st",
            "stream exact \"stream\":true|true|after m\"|before \"x\"",
            "größe exact \"größe\" : -1.5e3|-1.5e3|after ]}|before \"to",
            "topK twin \"topk\":[ ]|[ ]|after e3|before \"te",
            "temperature exact escaped \"temp\\u0065rature\" : { \"a\" : 1 }|{ \"a\" : 1 }|after ]|last",
        }));
        for (var cut = 0; cut <= body.Length; cut++)
        {
            Assert.That(Described(Segments.Of(body, cut), body), Is.EqualTo(whole), $"cut at {cut}");
        }

        Assert.That(Described(Segments.Single(body), body), Is.EqualTo(whole));
    }

    [TestCase("{}", "gpt-5", "ok gpt-5")]
    [TestCase("{\"model\":\"another\",\"stream\":true}", "gpt-5", "ok gpt-5 stream")]
    [TestCase("{\"model\":\"\"}", "gpt-5", "ok gpt-5")]
    [TestCase("{\"model\":null}", "gpt-5", "ok gpt-5")]
    [TestCase("{\"model\":7}", "gpt-5", "invalid_model")]
    [TestCase("{\"model\":\"a\",\"model\":\"b\"}", "gpt-5", "duplicate_key")]
    [TestCase("{\"Model\":\"a\"}", "gpt-5", "ambiguous_key")]
    [TestCase("{}", "gpt-5\n", "invalid_model")]
    [TestCase("{}", "", "invalid_model")]
    [TestCase("[]", "gpt-5", "invalid_body")]
    public void A_model_that_was_named_elsewhere_goes_before_the_bodys_own(string body, string model, string outcome)
    {
        var read = RequestFields.Read(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body)), FieldNames.Standard, model);
        Assert.That(read.TryGet(out var fields, out var error) ? $"ok {fields.Model}{(fields.Stream ? " stream" : "")}" : error.Code, Is.EqualTo(outcome));
    }

    private static List<string> Described(in ReadOnlySequence<byte> sequence, byte[] body)
    {
        var fields = RequestFields.Read(sequence, _names).Value!;
        Assert.That(Text(0, fields.Opening), Is.EqualTo("\r\n {"));
        Assert.That(fields.MemberCount, Is.EqualTo(7));
        return
        [
            .. fields.Fields.ToArray().Select(f =>
                $"{_names[f.Name]} {(f.IsExact ? "exact" : "twin")} {(f.IsEscaped ? "escaped " : "")}{Text(f.NameStart, f.ValueEnd)}|{Text(f.ValueStart, f.ValueEnd)}"
                + $"|{(f.PreviousEnd == 0 ? "first" : "after " + Text(Math.Max(f.PreviousEnd - 2, 0), f.PreviousEnd).Trim())}"
                + $"|{(f.NextStart == 0 ? "last" : "before " + Text(f.NextStart, f.NextStart + 3))}"),
        ];

        string Text(long start, long end) => Encoding.UTF8.GetString(body.AsSpan((int)start..(int)end));
    }

    private static string OutcomeOf(in ReadOnlySequence<byte> body)
    {
        if (!RequestFields.Read(body, _names).TryGet(out var fields, out var error))
        {
            return error.Code;
        }

        Assert.That(fields.Find(FieldNames.Model)!.Value.Type, Is.EqualTo(JsonTokenType.String));
        return $"ok {fields.Model}{(fields.Stream ? " stream" : "")}{(fields.Choices == 1 ? "" : $" n={fields.Choices}")}";
    }
}
