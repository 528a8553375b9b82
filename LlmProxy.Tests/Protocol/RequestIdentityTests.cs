using System.Buffers;
using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

internal sealed class RequestIdentityTests
{
    private const string Chat =
        """{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"first"},{"role":"assistant","content":"a"},{"role":"user","content":"second"}],"tools":[{"name":"t"}],"user":"u","prompt_cache_key":"k","stream":true}""";

    private static readonly FieldNames _all = new(["temperature"], IdentityParts.User | IdentityParts.Conversation | IdentityParts.Prompt);

    [TestCase(Chat)]
    [TestCase("""{"model":"m","metadata":{"a":[{"user_id":"no"}],"user_id":"u"},"system":[{"type":"text","text":"a long enough system prompt"}],"messages":[{"content":[{"type":"text","text":"hi"}],"role":"user"}]}""")]
    [TestCase("""{"model":"m","instructions":"i","input":[{"role":"developer","content":"d"},{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]},{"type":"function_call_output","output":"{}"}]}""")]
    public void The_same_however_the_body_is_cut(string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var whole = Identity(new ReadOnlySequence<byte>(bytes));
        Assert.That(whole.Prompt, Is.Not.Zero);
        Assert.That(Identity(Segments.Single(bytes)), Is.EqualTo(whole));
        for (var cut = 1; cut < bytes.Length; cut++)
        {
            Assert.That(Identity(Segments.Of(bytes, cut)), Is.EqualTo(whole), $"cut at {cut}");
        }
    }

    [TestCase("a later turn", "\"second\"", "\"changed\"", true)]
    [TestCase("a turn more", "\"second\"}", "\"second\"},{\"role\":\"user\",\"content\":\"third\"}", true)]
    [TestCase("a part instead of a text", "\"first\"", "[{\"type\":\"text\",\"text\":\"first\",\"cache_control\":{\"type\":\"ephemeral\"}}]", true)]
    [TestCase("members in another order", "\"role\":\"user\",\"content\":\"first\"", "\"content\":\"first\",\"role\":\"user\"", true)]
    [TestCase("blanks", ",\"tools\"", ",  \"tools\"", true)]
    [TestCase("another parameter", "\"stream\":true", "\"stream\":false,\"temperature\":1", true)]
    [TestCase("the first user message", "\"first\"", "\"other\"", false)]
    [TestCase("the system prompt", "\"s\"", "\"S\"", false)]
    [TestCase("a tool", "\"t\"", "\"T\"", false)]
    public void Turns_after_the_first_and_wrappings_do_not_count(string what, string was, string becomes, bool same)
    {
        var changed = Chat.Replace(was, becomes, StringComparison.Ordinal);
        Assert.That(changed, Is.Not.EqualTo(Chat), what);
        Assert.That(Prompt(changed) == Prompt(Chat), Is.EqualTo(same), what);
    }

    [Test]
    public void An_input_as_text_is_the_same_as_its_message() =>
        Assert.That(Prompt("""{"model":"m","input":"hi"}"""), Is.EqualTo(Prompt("""{"model":"m","input":[{"type":"message","id":"msg_1","status":"completed","role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"reasoning"}]}""")));

    [Test]
    public void Of_a_text_that_grows_the_beginning_counts()
    {
        var start = new string('x', 2000);
        Assert.That(Prompt($$"""{"model":"m","prompt":"{{start}}"}"""), Is.EqualTo(Prompt($$"""{"model":"m","prompt":"{{start}} and more"}""")));
        Assert.That(Prompt("""{"model":"m","prompt":"a"}"""), Is.Not.EqualTo(Prompt("""{"model":"m","prompt":"b"}""")));
    }

    [TestCase("""{"model":"m"}""")]
    [TestCase("""{"model":"m","messages":[],"tools":[],"system":null,"user":null,"prompt_cache_key":7,"metadata":[]}""")]
    [TestCase("""{"model":"m","messages":{"role":"user"},"metadata":{"user_id":{}}}""")]
    public void Nothing_said_is_nothing(string body)
    {
        var (user, key, prompt) = Identity(Bytes(body));
        Assert.That((user, key, prompt), Is.EqualTo((0UL, 0UL, 0UL)));
    }

    [Test]
    public void What_no_model_needs_is_not_looked_for()
    {
        Assert.That(Identity(Bytes(Chat), new FieldNames([])), Is.EqualTo((0UL, 0UL, 0UL)));
        var (user, key, prompt) = Identity(Bytes(Chat), new FieldNames([], IdentityParts.User));
        Assert.That((user != 0, key, prompt), Is.EqualTo((true, 0UL, 0UL)));
        (user, key, prompt) = Identity(Bytes(Chat), new FieldNames([], IdentityParts.Conversation));
        Assert.That((user, key != 0, prompt), Is.EqualTo((0UL, true, 0UL)));
    }

    [Test]
    public void Looking_for_it_changes_nothing_of_the_fields()
    {
        var plain = RequestFields.Read(Bytes(Chat), new FieldNames(["user"])).Value!;
        var looked = RequestFields.Read(Bytes(Chat), new FieldNames(["user"], IdentityParts.User | IdentityParts.Prompt)).Value!;
        Assert.That(looked.Fields.ToArray(), Is.EqualTo(plain.Fields.ToArray()));
        Assert.That((looked.MemberCount, looked.Model, looked.Stream), Is.EqualTo((plain.MemberCount, plain.Model, plain.Stream)));
        Assert.That(looked.Identity.User, Is.Not.Zero, "edited and looked for at once");
    }

    [TestCase("""{"model":"m","messages":[{"role":"user","content":"x"}""")]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":["x"}]}""")]
    [TestCase("""{"model":"m","tools":[{"a":01}]}""")]
    public void Broken_JSON_inside_is_still_found(string body) =>
        Assert.That(RequestFields.Read(Bytes(body), _all).Error?.Code, Is.EqualTo("invalid_json"));

    [Test]
    public void Marks_of_an_account_are_found_across_every_cut()
    {
        var body = Encoding.UTF8.GetBytes("""{"input":[{"text":"\"encrypted_content\"","encrypted_content" : "gAAA"}]}""");
        for (var cut = 1; cut < body.Length; cut++)
        {
            Assert.That(AccountMarks.AreIn(Segments.Of(body, cut), withReasoning: true), $"cut at {cut}");
            Assert.That(AccountMarks.AreIn(Segments.Of(body, cut), withReasoning: false), Is.False);
        }

        Assert.That(AccountMarks.AreIn(Segments.Single(body), withReasoning: true));
    }

    [Test]
    public void A_fingerprint_spreads_over_all_bits()
    {
        var prints = Enumerable.Range(0, 10_000).Select(i => Fingerprint.Of($"key-{i}")).ToArray();
        Assert.That(prints, Is.Unique);
        for (var bit = 0; bit < 64; bit++)
        {
            Assert.That(prints.Count(p => ((p >> bit) & 1) == 1), Is.EqualTo(5000).Within(300), $"bit {bit}");
        }
    }

    private static ulong Prompt(string body) => Identity(Bytes(body)).Prompt;

    private static ReadOnlySequence<byte> Bytes(string body) => new(Encoding.UTF8.GetBytes(body));

    private static (ulong User, ulong CacheKey, ulong Prompt) Identity(ReadOnlySequence<byte> body, FieldNames? names = null)
    {
        var fields = RequestFields.Read(body, names ?? _all).Value!;
        return (fields.Identity.User, fields.Identity.CacheKey, fields.Identity.Prompt);
    }
}
