using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// Builds methods in which every request waits once: what holds the locals of one while it waits holds those of another request's next. The runtime's
/// own (<see cref="PoolingAsyncValueTaskMethodBuilder{TResult}"/>) keeps one for each thread and one for each core, which is few where a thread serves many.
/// </summary>
/// <remarks>
/// What a method returns is awaited once, as with every <see cref="ValueTask{TResult}"/>. A second look finds another version and throws: it never
/// sees what the next has brought.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct ReusingMethodBuilder<TResult>
{
    private Held? _held;
    private TResult _result;

    public readonly ValueTask<TResult> Task => _held is null ? new(_result) : new(_held, _held.Version);

    /// <summary>The same for who asks for no result.</summary>
    public readonly ValueTask Ended => _held is null ? default : new(_held, _held.Version);

    [SuppressMessage("Design", "CA1000:Do not declare static members on generic types", Justification = "The compiler calls it.")]
    public static ReusingMethodBuilder<TResult> Create() => default;

    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "The compiler calls it.")]
    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => AsyncTaskMethodBuilder.Create().Start(ref stateMachine);

    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "The compiler calls it.")]
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine) => _ = stateMachine;

    public void SetResult(TResult result)
    {
        if (_held is null)
        {
            _result = result;
        }
        else
        {
            _held.SetResult(result);
        }
    }

    public void SetException(Exception exception) => (_held ??= new HeldFailure()).SetException(exception);

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.OnCompleted(Hold(ref stateMachine));

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(Hold(ref stateMachine));

    private Action Hold<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (_held is not Held<TStateMachine> held)
        {
            // Before the copy, which then knows where it is held: this builder is a part of the method's own locals.
            _held = held = Held<TStateMachine>.Take();
            held.Method = stateMachine;
        }

        held.Flow = ExecutionContext.Capture();
        return held.GoOn;
    }

    /// <summary>A method that waits, or has failed.</summary>
    private abstract class Held : IValueTaskSource<TResult>, IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<TResult> _core;

        public short Version => _core.Version;

        public void SetResult(TResult result) => _core.SetResult(result);

        public void SetException(Exception exception) => _core.SetException(exception);

        public TResult GetResult(short token)
        {
            // Before anything else: who comes twice, or too early, is refused and gives back nothing.
            if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
            {
                throw new InvalidOperationException("The method has not ended.");
            }

            try
            {
                return _core.GetResult(token);
            }
            finally
            {
                _core.Reset();
                GiveBack();
            }
        }

        void IValueTaskSource.GetResult(short token) => GetResult(token);

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);

        protected abstract void GiveBack();
    }

    /// <summary>A method that failed before it waited.</summary>
    private sealed class HeldFailure : Held
    {
        protected override void GiveBack()
        {
        }
    }

    private sealed class Held<TStateMachine> : Held
        where TStateMachine : IAsyncStateMachine
    {
        // As many as a thread serves at one moment, or nearly: where more wait, they wait for long.
        private const int MostSpares = 32;

        private static readonly ContextCallback _run = static held => ((Held<TStateMachine>)held!).Method!.MoveNext();

        [ThreadStatic]
        private static Held<TStateMachine>[]? _spares;

        [ThreadStatic]
        private static int _count;

        private Held() => GoOn = Run;

        public Action GoOn { get; }

        public TStateMachine? Method;

        public ExecutionContext? Flow;

        public static Held<TStateMachine> Take() => _count > 0 ? _spares![--_count] : new Held<TStateMachine>();

        protected override void GiveBack()
        {
            (Method, Flow) = (default, null);
            if (_count < MostSpares)
            {
                (_spares ??= new Held<TStateMachine>[MostSpares])[_count++] = this;
            }
        }

        private void Run()
        {
            if (Flow is null)
            {
                Method!.MoveNext();
            }
            else
            {
                ExecutionContext.Run(Flow, _run, this);
            }
        }
    }
}
