using System.Buffers;
using System.Reflection;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>What serves one request after another begins each as new: a field that is added and not cleared is found here.</summary>
internal sealed class GivenBackTests
{
    private const string Rich = """
        {"id":"resp_1","object":"response","model":"m","service_tier":"flex","error":{"message":"no"},"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}
        """;

    [SetUp]
    [TearDown]
    public void Forget()
    {
        (JsonAnswer.Kept, RelayOutcome.Kept, AnswerReader.Kept, RequestSplice.Kept) = (default, default, default, default);
    }

    [Test]
    public void An_answer_s_json_is_empty()
    {
        Assert.That(JsonAnswer.TryRead(System.Text.Encoding.UTF8.GetBytes(Rich), out var json));
        AssertAllDiffer(json, new JsonAnswer());
        json.GiveBack();
        Assert.That(JsonAnswer.Kept.Take(), Is.SameAs(json));
        AssertSame(json, new JsonAnswer());
    }

    [Test]
    public void An_outcome_is_that_of_nothing_yet()
    {
        var outcome = RelayOutcome.Take();
        foreach (var property in typeof(RelayOutcome).GetProperties().Where(static p => p.CanWrite))
        {
            property.SetValue(outcome, property.PropertyType switch
            {
                var t when t == typeof(long) => 1L,
                var t when t == typeof(bool) => true,
                var t when t == typeof(Usage) => new Usage { Input = 1 },
                var t when t == typeof(ReadOnlyMemory<byte>) => new ReadOnlyMemory<byte>([1]),
                var t when t == typeof(Exception) => new IOException(),
                _ => ProxyErrors.Internal,
            });
        }

        AssertAllDiffer(outcome, new RelayOutcome());
        outcome.GiveBack();
        Assert.That(RelayOutcome.Take(), Is.SameAs(outcome));
        AssertSame(outcome, new RelayOutcome());
    }

    [Test]
    public void A_reader_knows_of_no_attempt()
    {
        using var wheel = new ClockWheel(TimeProvider.System);
        using var clock = new ExchangeClock(wheel, CancellationToken.None);
        using var attempt = new Attempt(clock, mayFollow: false);
        var request = Asked.For("/chat/completions", stream: false);
        var reader = AnswerReader.For(request, request.Selection.First, new LimitOptions(), attempt, isLast: true, TimeProvider.System);
        reader.Close(ProxyErrors.Internal);
        Assert.That(AnswerReader.Kept.Take(), Is.SameAs(reader));
        AssertSame(reader, new AnswerReader());
    }

    [Test]
    public void Parts_of_a_body_name_none()
    {
        BodyPart[] parts = [new(1, 2, default), new(0, 0, new byte[3]), new(4, 5, default)];
        RequestSplice.GiveBack(parts);
        Assert.That(RequestSplice.Kept.Take(), Is.SameAs(parts).And.All.EqualTo(default(BodyPart)));
        RequestSplice.GiveBack([default]);
        Assert.That(RequestSplice.Kept.Take(), Is.Null, "of another length");
    }

    [Test]
    public void What_stands_in_an_answer_is_given_back_with_it_and_not_where_several_read_it()
    {
        var alone = AnswerOf(out var json);
        alone.Dispose();
        alone.Dispose();
        Assert.That((JsonAnswer.Kept.Take(), JsonAnswer.Kept.Take()), Is.EqualTo((json, default(JsonAnswer))), "once");

        var answer = AnswerOf(out var seen);
        using var wheel = new ClockWheel(TimeProvider.System);
        using var clock = new ExchangeClock(wheel, CancellationToken.None);
        using var attempt = new Attempt(clock, mayFollow: false);
        var candidate = Asked.For("/chat/completions", stream: false).Selection.Next(out _)!;
        candidate.Load.Begin(streams: false);
        Assert.That(candidate.State.Places.TryEnter());
        answer.Own(attempt, candidate);
        var shared = new SharedAnswer(answer);
        using var reader = shared.Open();
        answer.Dispose();
        Assert.That((shared.For(reader).Json, JsonAnswer.Kept.Take()), Is.EqualTo((seen, default(JsonAnswer))));
    }

    private static UpstreamAnswer AnswerOf(out JsonAnswer json)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(Rich);
        Assert.That(JsonAnswer.TryRead(bytes, out json));
        var rented = ArrayPool<byte>.Shared.Rent(bytes.Length);
        bytes.CopyTo(rented, 0);
        return new UpstreamAnswer(new HttpResponseMessage(), AnswerKind.Json, rented, bytes.Length, Stream.Null, json);
    }

    private static void AssertAllDiffer<T>(T used, T fresh) =>
        Assert.That(FieldsOf(used).Zip(FieldsOf(fresh)).Where(static pair => Equals(pair.First.Value, pair.Second.Value)).Select(static pair => pair.First.Name), Is.Empty, "the test fills all");

    private static void AssertSame<T>(T used, T fresh) => Assert.That(FieldsOf(used), Is.EqualTo(FieldsOf(fresh)));

    private static (string Name, object? Value)[] FieldsOf<T>(T item) =>
        [.. typeof(T).GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public).SelectMany(field => Flat(field.Name, field.GetValue(item)))];

    // A value that is all of one attempt's counts field by field.
    private static IEnumerable<(string, object?)> Flat(string name, object? value) => value?.GetType() is { IsNestedPrivate: true } type
        ? type.GetFields(BindingFlags.Instance | BindingFlags.Public).Select(field => (name + "." + field.Name, field.GetValue(value)))
        : [(name, value)];
}
