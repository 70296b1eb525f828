package lakehouse

import java.util.concurrent.{Executors, TimeUnit}

import scala.collection.mutable
import scala.util.control.NonFatal

import org.apache.spark.SparkContext
import org.apache.spark.scheduler.{SparkListener, SparkListenerEvent, SparkListenerJobEnd, SparkListenerJobStart}
import org.apache.spark.sql.connect.service.{SparkConnectService, SparkListenerConnectOperationCanceled, SparkListenerConnectSessionClosed}

/** Cancels every job of operations that were cancelled or whose session was closed, also one that starts later.
  *
  * Spark tells of both by events, but not always: closing a session fails with an illegal state where its operation ends
  * at that moment, and the operation's thread may have lost its interrupt (Hadoop swallows one that comes while it runs a
  * shell command). So each second it also looks for jobs of operations that Spark does not know any more.
  */
class Orphans extends SparkListener {
  private val Prefix = "SparkConnect_OperationTag_User_"
  private val Remembered = 10000
  private val running = mutable.Map.empty[Int, Job]
  private val ended = mutable.LinkedHashSet.empty[String]
  private val doubted = mutable.Set.empty[Int]

  private case class Job(operations: Seq[String], ofStream: Boolean)

  private val clock = Executors.newSingleThreadScheduledExecutor { (work: Runnable) =>
    val thread = new Thread(work, "orphans")
    thread.setDaemon(true)
    thread
  }
  clock.scheduleWithFixedDelay(() => look(), 1, 1, TimeUnit.SECONDS)

  override def onJobStart(started: SparkListenerJobStart): Unit = synchronized {
    val properties = Option(started.properties)
    val tags = properties.flatMap(all => Option(all.getProperty("spark.job.tags"))).getOrElse("")
    val operations = tags.split(',').toSeq.filter(_.startsWith(Prefix))
    // The operation that starts a stream has ended when the stream runs.
    val ofStream = properties.exists(_.containsKey("sql.streaming.queryId"))
    if (orphaned(operations)) cancel(started.jobId)
    else if (operations.nonEmpty) running(started.jobId) = Job(operations, ofStream)
  }

  override def onJobEnd(job: SparkListenerJobEnd): Unit = synchronized { running -= job.jobId }

  override def onOtherEvent(event: SparkListenerEvent): Unit = event match {
    case operation: SparkListenerConnectOperationCanceled => end(operation.jobTag)
    case closed: SparkListenerConnectSessionClosed => end(s"$Prefix${closed.userId}_Session_${closed.sessionId}")
    case _ =>
  }

  private def end(owner: String): Unit = synchronized {
    ended += owner
    if (ended.size > Remembered) ended -= ended.head
    running.foreach { case (number, job) => if (orphaned(job.operations)) cancel(number) }
  }

  /** All of them: a thread of Spark's own may carry another operation's tag beside that of whom it works for. */
  private def orphaned(operations: Seq[String]): Boolean =
    operations.nonEmpty && operations.forall(tag => ended(tag) || ended(tag.substring(0, tag.lastIndexOf("_Operation_").max(0))))

  /** Cancels what nobody knows of at two looks, as an operation's last job may outlive it by a moment. */
  private def look(): Unit = synchronized {
    try {
      val unknown = if (running.isEmpty) Set.empty[Int] else unknownJobs()
      unknown.filter(doubted).foreach(cancel)
      doubted.clear()
      doubted ++= unknown
    } catch { case NonFatal(_) => } // Spark is starting or stopping: the next look tells
  }

  private def unknownJobs(): Set[Int] = {
    val known = SparkConnectService.listActiveExecutions.toOption.getOrElse(Seq.empty).map(_.jobTag).toSet
    running.collect { case (number, job) if !job.ofStream && !job.operations.exists(known) => number }.toSet
  }

  private def cancel(job: Int): Unit =
    SparkContext.getOrCreate().cancelJob(job, "its operation was cancelled or its session closed")
}
