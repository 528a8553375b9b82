using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Protocol;

/// <summary>The same as <see cref="ReusingMethodBuilder{TResult}"/> for methods without a result.</summary>
internal struct ReusingMethodBuilder
{
    private ReusingMethodBuilder<byte> _builder;

    public readonly ValueTask Task => _builder.Ended;

    public static ReusingMethodBuilder Create() => default;

    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "The compiler calls it.")]
    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => AsyncTaskMethodBuilder.Create().Start(ref stateMachine);

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine) => _builder.SetStateMachine(stateMachine);

    public void SetResult() => _builder.SetResult(0);

    public void SetException(Exception exception) => _builder.SetException(exception);

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => _builder.AwaitOnCompleted(ref awaiter, ref stateMachine);

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => _builder.AwaitUnsafeOnCompleted(ref awaiter, ref stateMachine);
}
